"""Which bins a step reads, and which of them each rank takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_trainer.training.batches import bins_of_step, count_steps, epoch_ends, micro_batches


@given(
    num_bins=st.integers(1, 200),
    bins_per_step=st.integers(1, 17),
    world_size=st.integers(1, 9),
    bins_per_micro_batch=st.integers(1, 5),
)
def test_every_bin_is_taken_once_in_order_of_steps(
    num_bins: int, bins_per_step: int, world_size: int, bins_per_micro_batch: int
) -> None:
    taken = []
    for step in range(count_steps(num_bins, bins_per_step)):
        bins = bins_of_step(step, bins_per_step, num_bins)
        shares = [micro_batches(bins, rank, world_size, bins_per_micro_batch) for rank in range(world_size)]
        assert len({len(share) for share in shares}) == 1  # collectives stay aligned
        assert all(len(batch) <= bins_per_micro_batch for share in shares for batch in share)
        step_bins = sorted(index for share in shares for batch in share for index in batch)
        assert step_bins == list(bins)
        taken += step_bins
    assert taken == list(range(num_bins))


@pytest.mark.parametrize(
    ("rank", "bins_per_micro_batch", "expected"),
    [
        pytest.param(0, 1, [(6,), (8,), (10,)], id="first rank"),
        pytest.param(1, 1, [(7,), (9,), ()], id="rank with an empty micro-batch"),
        pytest.param(0, 2, [(6, 8), (10,)], id="several bins"),
        pytest.param(1, 2, [(7, 9), ()], id="several bins, then none"),
        pytest.param(1, 3, [(7, 9)], id="fewer bins than there is room for"),
    ],
)
def test_ranks_take_turns(rank: int, bins_per_micro_batch: int, expected: list[tuple[int, ...]]) -> None:
    assert micro_batches(range(6, 11), rank, 2, bins_per_micro_batch) == expected


@pytest.mark.parametrize(
    ("steps", "epochs", "expected"),
    [
        pytest.param(10, 1, (10,), id="one pass"),
        pytest.param(10, 3, (4, 7, 10), id="three passes"),
        pytest.param(10, 2.5, (4, 8, 10), id="a last pass cut short"),
        pytest.param(2, 5, (1, 2), id="more passes than steps"),
        pytest.param(7, 0.5, (7,), id="less than a pass"),
    ],
)
def test_epoch_ends(steps: int, epochs: float, expected: tuple[int, ...]) -> None:
    assert epoch_ends(steps, epochs) == expected
