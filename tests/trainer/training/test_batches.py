"""Bins of a step and their ranks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_trainer.batches import bins_of_step, count_steps, epoch_ends, micro_batches


@given(num_bins=st.integers(1, 200), bins_per_step=st.integers(1, 17), world_size=st.integers(1, 9))
def test_every_bin_is_taken_once_in_order_of_steps(
    num_bins: int, bins_per_step: int, world_size: int
) -> None:
    taken = []
    for step in range(count_steps(num_bins, bins_per_step)):
        bins = bins_of_step(step, bins_per_step, num_bins)
        shares = [micro_batches(bins, rank, world_size) for rank in range(world_size)]
        assert len({len(share) for share in shares}) == 1  # collectives stay aligned
        step_bins = sorted(index for share in shares for index in share if index is not None)
        assert step_bins == list(bins)
        taken += step_bins
    assert taken == list(range(num_bins))


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        pytest.param(0, [6, 8], id="first rank"),
        pytest.param(1, [7, None], id="rank with an empty micro-batch"),
    ],
)
def test_ranks_take_turns(rank: int, expected: list[int | None]) -> None:
    assert micro_batches(range(6, 9), rank, 2) == expected


@pytest.mark.parametrize(
    ("steps", "epochs", "expected"),
    [
        pytest.param(10, None, (10,), id="token budget: only the end"),
        pytest.param(10, 1, (10,), id="one pass"),
        pytest.param(10, 3, (4, 7, 10), id="three passes"),
        pytest.param(10, 2.5, (4, 8, 10), id="a last pass cut short"),
        pytest.param(2, 5, (1, 2), id="more passes than steps"),
        pytest.param(7, 0.5, (7,), id="less than a pass"),
    ],
)
def test_epoch_ends(steps: int, epochs: float | None, expected: tuple[int, ...]) -> None:
    assert epoch_ends(steps, epochs) == expected
