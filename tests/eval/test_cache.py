"""Answers on disk survive a kill, and are never used for another model."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blendtune_eval.cache import AnswerCache, GivenAnswer

PARIS = GivenAnswer(text="Paris – “oui”\n", tokens=3, finished=True)
ROME = GivenAnswer(text="", tokens=0, finished=False)


def cache(folder: Path, weights: str = "a" * 64, decoding: str = "d" * 64) -> AnswerCache:
    return AnswerCache(folder, weights, decoding)


def test_keeps_answers(tmp_path: Path) -> None:
    cache(tmp_path).add({"one": PARIS})
    cache(tmp_path).add({"two": ROME})
    again = cache(tmp_path)
    assert (again.get("one"), again.get("two"), again.get("three")) == (PARIS, ROME, None)


def test_answers_are_on_disk_when_they_are_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").read_text())
    )
    cache(tmp_path).add({"one": PARIS})
    (file,) = tmp_path.iterdir()
    assert synced == [file.read_text()]


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_cut_line_is_dropped_and_the_file_goes_on(tmp_path: Path, cut: int) -> None:
    cache(tmp_path).add({"one": PARIS, "two": ROME})
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-cut])
    torn = cache(tmp_path)
    assert (torn.get("one"), torn.get("two")) == (PARIS, None)
    torn.add({"two": ROME})
    assert cache(tmp_path).get("two") == ROME


def test_lines_that_are_no_answers_are_passed_over(tmp_path: Path) -> None:
    cache(tmp_path).add({"one": PARIS})
    (file,) = tmp_path.iterdir()
    file.write_text("nonsense\n[]\n{}\n" + file.read_text())
    assert cache(tmp_path).get("one") == PARIS


@pytest.mark.parametrize(
    ("weights", "decoding"),
    [
        pytest.param("b" * 64, "d" * 64, id="other-weights"),
        pytest.param("a" * 64, "e" * 64, id="other-decoding"),
        pytest.param("a" * 63 + "b", "d" * 64, id="weights-that-share-a-file-name"),
    ],
)
def test_other_identities_see_nothing(tmp_path: Path, weights: str, decoding: str) -> None:
    cache(tmp_path).add({"one": PARIS})
    assert cache(tmp_path, weights, decoding).get("one") is None
