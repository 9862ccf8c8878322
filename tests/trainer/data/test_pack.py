"""Packing: nothing cut or lost, little wasted, and the shares kept in every stretch of bins."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_api.v1alpha1 import Role
from blendtune_trainer.blending.blend import BlendBudget, BlendSource, blend, shares
from blendtune_trainer.blending.pack import WINDOW_EXAMPLES, Placements, fill, pack, windows

CAPACITY = 2048
STRETCH = 64  # bins


def lognormal_lengths(mean: float, count: int, seed: int) -> np.ndarray:
    """Token counts as conversations have them: skewed, between 8 and the capacity, `mean` on average."""
    spread = 0.8
    lengths = np.random.default_rng(seed).lognormal(np.log(mean) - spread**2 / 2, spread, count)
    return np.clip(lengths, 8, CAPACITY).astype(np.int64)


def blended(weights: list[float], means: list[float], count: int, seed: int) -> tuple[Placements, np.ndarray]:
    """Placements of a blend of sources of `count` examples together, by tokens, and its target shares."""
    sources = []
    for index, (weight, mean) in enumerate(zip(weights, means, strict=True)):
        sizes = lognormal_lengths(mean, count // len(weights), seed + index)
        role = Role.GENERAL if index else Role.IN_DOMAIN
        sources.append(
            BlendSource(
                name=f"s{index}", role=role, weight=weight, max_epochs=1e9, sizes=sizes, tokens=sizes.sum()
            )
        )
    order = blend(sources, BlendBudget(epochs=1), seed)
    lengths = np.array([sources[s].sizes[e] for s, e in zip(order.sources, order.examples, strict=True)])
    return Placements(lengths=lengths, sources=order.sources, units=lengths), shares(sources)


def packed(placements: Placements, shares: np.ndarray, *, seed: int) -> list[list[int]]:
    """The placements of each bin, in training order."""
    bins = pack(placements, shares, capacity=CAPACITY, seed=seed)
    return [each.tolist() for each in np.split(bins.items, bins.offsets[1:-1])]


def cumulative_units(bins: list[list[int]], placements: Placements) -> np.ndarray:
    """[bins + 1, sources] units up to each bin."""
    held = np.zeros((len(bins) + 1, int(placements.sources.max()) + 1))
    for number, items in enumerate(bins, start=1):
        np.add.at(held[number], placements.sources[items], placements.units[items])
    return np.cumsum(held, axis=0)


@pytest.mark.parametrize(
    ("weights", "means"),
    [
        pytest.param([25, 75], [540, 230], id="a quarter of long"),
        pytest.param([50, 50], [540, 230], id="half of long"),
        pytest.param([75, 25], [540, 230], id="three quarters of long"),
        pytest.param([20, 30, 50], [230, 540, 900], id="three sources"),
    ],
)
def test_shares_waste_and_wholeness_on_fifty_thousand_examples(
    weights: list[float], means: list[float]
) -> None:
    placements, target = blended(weights, means, 50_000, seed=1)
    bins = packed(placements, target, seed=1)
    assert Counter(item for items in bins for item in items) == Counter(range(len(placements)))
    filled = [int(placements.lengths[items].sum()) for items in bins]
    assert max(filled) <= CAPACITY
    assert 1 - sum(filled) / (len(bins) * CAPACITY) <= 0.003
    units = cumulative_units(bins, placements)
    assert np.abs(units[-1] / units[-1].sum() - target).max() <= 0.001
    stretches = units[STRETCH:] - units[:-STRETCH]
    assert np.abs(stretches / stretches.sum(axis=1, keepdims=True) - target).max() <= 0.02


@pytest.mark.parametrize("count", [4_000, 6_200, 9_000])
def test_waste_is_small_from_four_thousand_examples_on(count: int) -> None:
    lengths = np.concatenate([lognormal_lengths(540, count // 2, 3), lognormal_lengths(230, count // 2, 4)])
    mixed = np.random.default_rng(5).permutation(lengths)
    sources = np.zeros(len(mixed), np.int16)
    bins = packed(Placements(lengths=mixed, sources=sources, units=mixed), np.ones(1), seed=0)
    assert 1 - mixed.sum() / (len(bins) * CAPACITY) <= 0.003


@pytest.mark.parametrize(
    ("weights", "means"), [pytest.param([1], [400], id="one"), pytest.param([50, 50], [540, 230], id="two")]
)
def test_the_order_is_seeded_and_not_by_length(weights: list[float], means: list[float]) -> None:
    placements, target = blended(weights, means, 2_000, seed=2)
    bins = packed(placements, target, seed=1)
    assert packed(placements, target, seed=1) == bins
    assert packed(placements, target, seed=2) != bins
    longest = [placements.lengths[items].max() for items in bins]
    place_and_length = np.corrcoef(np.arange(len(bins)), longest)[0, 1]
    assert abs(place_and_length) < 0.3


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=80), st.integers(40, 60))
def test_filling_is_whole_and_best_fit(lengths: list[int], capacity: int) -> None:
    array = np.array(lengths, np.int64)
    bins = fill(array, capacity)
    assert sorted(item for items in bins for item in items) == list(range(len(lengths)))
    rooms = [capacity - int(array[items].sum()) for items in bins]
    assert all(room >= 0 for room in rooms)
    # A later bin was opened only because its first, longest item fitted no earlier one.
    for number, items in enumerate(bins):
        assert all(rooms[earlier] < array[items[0]] for earlier in range(number))


def test_an_example_over_the_capacity_is_never_cut() -> None:
    with pytest.raises(ValueError, match="an example of 11 tokens in bins of 10"):
        fill(np.array([11]), 10)


@given(st.integers(0, 10 * WINDOW_EXAMPLES))
def test_windows_cover_everything_in_nearly_equal_parts(count: int) -> None:
    parts = windows(count)
    assert sum(end - start for start, end in parts) == count
    assert [start for start, _ in parts[1:]] == [end for _, end in parts[:-1]]
    if count >= WINDOW_EXAMPLES:
        assert all(0.6 * WINDOW_EXAMPLES < end - start <= 1.5 * WINDOW_EXAMPLES for start, end in parts)


def test_the_last_token_of_a_bin_is_used() -> None:
    assert fill(np.array([9, 1, 9, 1]), capacity=10) == [[0, 1], [2, 3]]
