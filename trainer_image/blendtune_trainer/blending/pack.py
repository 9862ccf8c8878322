"""Packs whole examples into bins of fixed capacity, ordered so that every run of bins has the shares."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

# Placements packed together: enough for little waste, few enough to stay close to the blend's order.
WINDOW_EXAMPLES = 4096
_ROUNDING = 1e-6  # units squared, far below any real change


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Placements:
    """The examples of a blend in its order; an example that is repeated occurs several times."""

    lengths: NDArray[np.int64]  # [placements] tokens of each
    sources: NDArray[np.int16]  # [placements]
    units: NDArray[np.int64]  # [placements] size of each in the unit of the shares

    def __len__(self) -> int:
        return len(self.lengths)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Bins:
    """Bins in training order: bin i holds the placements `items[offsets[i]:offsets[i + 1]]`."""

    items: NDArray[np.int32]  # [placements] indices into the placements
    offsets: NDArray[np.int64]  # [bins + 1]

    def __len__(self) -> int:
        return len(self.offsets) - 1


def pack(placements: Placements, shares: NDArray[np.float64], *, capacity: int, seed: int) -> Bins:
    """Bins of at most `capacity` tokens, in training order.

    Each window of about WINDOW_EXAMPLES placements is packed by best-fit decreasing, which puts examples of
    similar length, hence often of the same source, next to each other. So its bins are then reordered: each
    next bin is drawn at random, by `seed`, among those that bring the units so far closer to `shares`, which
    are [sources] and sum to 1.
    """
    generator = np.random.default_rng([seed, WINDOW_EXAMPLES])
    excess = np.zeros(len(shares))
    items, counts = [np.empty(0, np.int32)], [np.zeros(1, np.int64)]
    for start, end in windows(len(placements)):
        bins = [[start + item for item in each] for each in fill(placements.lengths[start:end], capacity)]
        deviations = _deviations(bins, placements, shares)
        order, excess = _order(deviations, excess, generator)
        ordered = [bins[index] for index in order]
        items.append(np.fromiter(chain.from_iterable(ordered), np.int32))
        counts.append(np.array([len(each) for each in ordered], np.int64))
    return Bins(items=np.concatenate(items), offsets=np.cumsum(np.concatenate(counts)))


def windows(count: int) -> list[tuple[int, int]]:
    """Splits `range(count)` into (start, end) windows of nearly equal length, about WINDOW_EXAMPLES."""
    number = max(1, round(count / WINDOW_EXAMPLES))
    edges = [count * index // number for index in range(number + 1)]
    return list(pairwise(edges)) if count else []


def fill(lengths: NDArray[np.int64], capacity: int) -> list[list[int]]:
    """Best-fit decreasing: longest first, each into the fullest bin that has room.

    `lengths` is [examples]; the bins hold indices into it. Raises ValueError for a length over `capacity`.
    """
    if len(lengths) and int(lengths.max()) > capacity:
        raise ValueError(f"an example of {int(lengths.max())} tokens in bins of {capacity}")
    bins: list[list[int]] = []
    count = len(lengths) + 1
    rooms: list[int] = []  # room * count + bin, ascending, of every bin that is not full
    for item in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[item])
        at = bisect_left(rooms, length * count)
        if at < len(rooms):
            room, chosen = divmod(rooms.pop(at), count)
        else:
            room, chosen = capacity, len(bins)
            bins.append([])
        bins[chosen].append(item)
        if room > length:
            insort(rooms, (room - length) * count + chosen)
    return bins


def _deviations(
    bins: Sequence[Sequence[int]], placements: Placements, shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[sources, bins] units of each source in a bin minus its share of all units in the bin."""
    held = np.zeros((len(shares), len(bins)))
    packed = np.fromiter(chain.from_iterable(bins), np.int64)
    owners = np.repeat(np.arange(len(bins)), [len(items) for items in bins])
    np.add.at(held, (placements.sources[packed], owners), placements.units[packed])
    above: NDArray[np.float64] = held - shares[:, None] * held.sum(axis=0)
    return above


def _order(
    deviations: NDArray[np.float64], excess: NDArray[np.float64], generator: np.random.Generator
) -> tuple[list[int], NDArray[np.float64]]:
    """An order of the bins, and the excess after all of them.

    `excess` [sources] is the sum of the deviations so far. Each next bin is drawn among those that reduce its
    Euclidean norm or, if there are none, among those that increase it least.
    """
    left = np.arange(deviations.shape[1])
    norms = (deviations**2).sum(axis=0)
    draws = generator.random(len(left))
    order: list[int] = []
    for draw in draws.tolist():
        change = norms + 2 * sum(row * above for row, above in zip(deviations, excess, strict=True))
        candidates = np.flatnonzero(change < -_ROUNDING)
        if not len(candidates):
            candidates = np.flatnonzero(change <= change.min() + _ROUNDING)
        at = int(candidates[int(draw * len(candidates))])
        order.append(int(left[at]))
        excess = excess + deviations[:, at]
        last = len(left) - 1  # the last bin moves to the place of the chosen one
        for array in (left, norms):
            array[at] = array[last]
        deviations[:, at] = deviations[:, last]
        left, norms, deviations = left[:last], norms[:last], deviations[:, :last]
    return order, excess
