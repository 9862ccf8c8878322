"""The packed blend on disk and the bins that training reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from blendtune_runtime.errors import BadData
from blendtune_trainer.blending.packed import IGNORED_LABEL, PackedBlend


@pytest.fixture
def packed() -> PackedBlend:
    """Three examples of 3, 2 and 4 tokens; bins (0, 1), (2), (1); the last example held out too."""
    return PackedBlend(
        input_ids=np.arange(10, 19, dtype=np.int32),
        supervised=np.array([1, 0, 1, 0, 1, 0, 0, 1, 1], np.bool_),
        example_offsets=np.array([0, 3, 5, 9], np.int64),
        example_sources=np.array([0, 1, 1], np.int16),
        bin_examples=np.array([0, 1, 2, 1], np.int32),
        bin_offsets=np.array([0, 2, 3, 4], np.int64),
        validation_bin_examples=np.array([2], np.int32),
        validation_bin_offsets=np.array([0, 1], np.int64),
        validation_bin_sources=np.array([1], np.int16),
        source_names=("ads", "general"),
        sequence_length=8,
        digest="d",
    )


def test_a_bin_restarts_positions_and_never_predicts_across_examples(packed: PackedBlend) -> None:
    first = packed.bin(0)
    assert first.input_ids.tolist() == [10, 11, 12, 13, 14]
    assert first.labels.tolist() == [IGNORED_LABEL, IGNORED_LABEL, 12, IGNORED_LABEL, 14]
    assert first.position_ids.tolist() == [0, 1, 2, 0, 1]
    assert first.sources.tolist() == [0, 0, 0, 1, 1]


def test_counts_agree_with_the_bins(packed: PackedBlend) -> None:
    assert packed.num_bins == 3
    assert packed.num_validation_bins == 1
    for index in range(packed.num_bins):
        assert packed.supervised_tokens(index) == packed.bin(index).supervised_tokens
        assert packed.tokens(index) == len(packed.bin(index).input_ids)
    assert packed.validation_bin(0).input_ids.tolist() == [15, 16, 17, 18]


@pytest.mark.parametrize("validated", [True, False])
def test_it_comes_back_from_disk_as_it_was(packed: PackedBlend, tmp_path: Path, validated: bool) -> None:
    if not validated:
        packed = replace(
            packed,
            validation_bin_examples=np.empty(0, np.int32),
            validation_bin_offsets=np.zeros(1, np.int64),
            validation_bin_sources=np.empty(0, np.int16),
        )
    packed.write(tmp_path / "blend")
    read = PackedBlend.open(tmp_path / "blend")
    assert (read.source_names, read.sequence_length, read.digest) == (("ads", "general"), 8, "d")
    assert read.num_validation_bins == packed.num_validation_bins
    for index in range(packed.num_bins):
        assert read.bin(index).labels.tolist() == packed.bin(index).labels.tolist()
    assert not list((tmp_path / "blend").glob(".*"))


def test_a_folder_without_a_whole_blend_is_refused(packed: PackedBlend, tmp_path: Path) -> None:
    packed.write(tmp_path)
    (tmp_path / "packed.json").unlink()
    with pytest.raises(BadData, match="no whole packed blend"):
        PackedBlend.open(tmp_path)


@pytest.mark.parametrize(
    ("sources", "passes"),
    [
        pytest.param({"ads"}, 1.0, id="once each"),
        pytest.param({"general"}, 1.5, id="one of two twice"),
        pytest.param({"ads", "general"}, 4 / 3, id="all"),
        pytest.param({"other"}, 0.0, id="none"),
    ],
)
def test_passes_over_sources(packed: PackedBlend, sources: set[str], passes: float) -> None:
    assert packed.passes(sources) == passes
