"""Atomic writes: a file is durable before it has its name, and the name before the write returns."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from blendtune_runtime.files import replacing, write_text


def test_the_file_is_synced_before_it_is_renamed_and_its_folder_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path.resolve() / "kept.txt"
    path.write_text("old")
    synced: list[tuple[str | Path, str]] = []

    def fsync(descriptor: int) -> None:
        """Notes what is synced, and what a reader of the path finds at that moment."""
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((place.read_text() if place.is_file() else place, path.read_text()))

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(path, "new")
    assert synced == [("new", "old"), (path.parent, "new")]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as file:
        file.write(b"half of the n")
        raise RuntimeError("killed")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("kept.txt", "old")]
