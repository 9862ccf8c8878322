"""Which bins an optimizer step reads, and which of them each rank takes, by their indices alone."""

from __future__ import annotations

import math


def count_steps(num_bins: int, bins_per_step: int) -> int:
    """Number of optimizer steps over all bins. The last step may have fewer bins; no bin is dropped."""
    return math.ceil(num_bins / bins_per_step)


def bins_of_step(step: int, bins_per_step: int, num_bins: int) -> range:
    """The bins of `step`, counted from 0. They do not depend on the number of ranks."""
    start = step * bins_per_step
    return range(min(start, num_bins), min(start + bins_per_step, num_bins))


def micro_batches(
    bins: range, rank: int, world_size: int, bins_per_micro_batch: int = 1
) -> list[tuple[int, ...]]:
    """The bins of a step that `rank` takes, by micro-batch.

    Every rank gets the same number of micro-batches, because each may contain collectives; some may be empty.
    """
    rounds = range(math.ceil(len(bins) / world_size))
    own = bins[rank::world_size]
    return [tuple(own[start : start + bins_per_micro_batch]) for start in rounds[::bins_per_micro_batch]]


def epoch_ends(steps: int, epochs: float) -> tuple[int, ...]:
    """Numbers of steps taken when a pass over the in-domain data is complete; the last is always `steps`."""
    ends = (min(steps, math.ceil(steps * epoch / epochs)) for epoch in range(1, math.ceil(epochs)))
    return tuple(sorted({end for end in ends if end > 0} | {steps}))
