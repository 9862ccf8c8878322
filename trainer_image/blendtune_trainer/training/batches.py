"""Which bins an optimizer step reads, and which of them each rank takes. Nothing here depends on what they
hold.
"""

from __future__ import annotations

import math


def count_steps(num_bins: int, bins_per_step: int) -> int:
    """Optimizer steps over all bins; the last one may be short, and none is dropped."""
    return math.ceil(num_bins / bins_per_step)


def bins_of_step(step: int, bins_per_step: int, num_bins: int) -> range:
    """The bins of `step`, counted from 0: the same whatever the number of ranks."""
    start = step * bins_per_step
    return range(min(start, num_bins), min(start + bins_per_step, num_bins))


def micro_batches(
    bins: range, rank: int, world_size: int, bins_per_micro_batch: int = 1
) -> list[tuple[int, ...]]:
    """The bins that `rank` takes, by micro-batch.

    Every rank gets the same number of micro-batches, because each one may communicate; some may be empty.
    """
    rounds = range(math.ceil(len(bins) / world_size))
    own = bins[rank::world_size]
    return [tuple(own[start : start + bins_per_micro_batch]) for start in rounds[::bins_per_micro_batch]]


def epoch_ends(steps: int, epochs: float) -> tuple[int, ...]:
    """Numbers of steps after which a pass over the in-domain data is complete; the last is always `steps`."""
    whole = (min(steps, math.ceil(steps * epoch / epochs)) for epoch in range(1, math.ceil(epochs)))
    return tuple(sorted({end for end in whole if end > 0} | {steps}))
