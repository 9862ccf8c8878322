"""Resuming from a model's earlier training: each source where it ended, or from its first pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blendtune_trainer.blending.lineage import (
    LINEAGE_FILE,
    Lineage,
    SourcePosition,
    describe_lineage,
    read_lineage,
    write_lineage,
)

ADS = SourcePosition(name="ads", digest="a", examples=10, taken=25)
GENERAL = SourcePosition(name="general", digest="g", examples=100, taken=30)
EARLIER = Lineage(seed=42, sources=(ADS, GENERAL))


def fresh(*sources: SourcePosition, seed: int = 42) -> Lineage:
    return Lineage(seed=seed, sources=tuple(replace(source, taken=0) for source in sources))


@pytest.mark.parametrize(
    ("now", "taken", "words"),
    [
        pytest.param(
            fresh(ADS, GENERAL),
            [25, 30],
            [
                "ads: goes on after 2.50 passes of the model's earlier training",
                "general: goes on after 0.30 passes of the model's earlier training",
            ],
            id="the same sources",
        ),
        pytest.param(
            fresh(GENERAL, replace(ADS, digest="more rows")),
            [30, 0],
            [
                "general: goes on after 0.30 passes of the model's earlier training",
                "ads: starts anew, for its rows are not those of the model's earlier training",
            ],
            id="other rows",
        ),
        pytest.param(
            fresh(ADS, seed=1),
            [0],
            ["ads: starts anew, for spec.blend.seed is not that of the model's earlier training"],
            id="another seed",
        ),
        pytest.param(fresh(replace(ADS, name="new")), [0], [], id="another name: another source"),
    ],
)
def test_where_each_source_starts(now: Lineage, taken: list[int], words: list[str]) -> None:
    start = EARLIER.resumed(now)
    assert [source.taken for source in start.sources] == taken
    assert list(describe_lineage(EARLIER, start)) == words


def test_a_model_without_a_lineage_is_a_base_model() -> None:
    assert list(describe_lineage(None, fresh(ADS))) == []


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    assert read_lineage(tmp_path) is None
    write_lineage(tmp_path, EARLIER)
    assert read_lineage(tmp_path) == EARLIER
    (tmp_path / LINEAGE_FILE).write_text('{"version": 9}')
    assert read_lineage(tmp_path) is None
