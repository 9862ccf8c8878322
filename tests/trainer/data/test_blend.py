"""The arithmetic of the blend: shares, budgets, passes, order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_api.contract import ExitCode
from blendtune_api.v1alpha1 import Role
from blendtune_runtime.errors import BadConfiguration, BadData
from blendtune_trainer.blending.blend import BlendBudget, BlendOrder, BlendSource, blend, shares


def source(
    name: str,
    sizes: Sequence[int],
    weight: float = 1,
    role: Role = Role.IN_DOMAIN,
    max_epochs: float = 100,
    tokens: int | None = None,
) -> BlendSource:
    array = np.array(sizes, np.int64)
    return BlendSource(
        name=name,
        role=role,
        weight=weight,
        max_epochs=max_epochs,
        sizes=array,
        tokens=int(array.sum()) if tokens is None else tokens,
        field=f"sources[{name}]",
    )


def placed_units(sources: Sequence[BlendSource], order: BlendOrder) -> np.ndarray:
    """[placements, sources] units, one column filled in each row."""
    units = np.zeros((len(order.sources), len(sources)), np.int64)
    for index, each in enumerate(sources):
        here = order.sources == index
        units[here, index] = each.sizes[order.examples[here]]
    return units


@st.composite
def sources_of_a_blend(draw: st.DrawFn) -> list[BlendSource]:
    count = draw(st.integers(1, 4))
    return [
        source(
            f"s{index}",
            draw(st.lists(st.integers(1, 50), min_size=1, max_size=30)),
            weight=draw(st.floats(0.1, 100)),
            role=draw(st.sampled_from(Role)),
            max_epochs=1e9,
        )
        for index in range(count)
    ]


@settings(max_examples=150, deadline=None)
@given(sources_of_a_blend(), st.integers(1, 3000), st.integers(0, 5))
def test_every_prefix_keeps_the_shares_within_an_example_of_each_source(
    sources: list[BlendSource], tokens: int, seed: int
) -> None:
    order = blend(sources, BlendBudget(tokens=tokens), seed)
    reached = np.cumsum(placed_units(sources, order), axis=0)
    over = reached - shares(sources) * reached.sum(axis=1, keepdims=True)
    largest = max(int(each.sizes.max()) for each in sources)
    # The end belongs to whole examples: there a source that is used up is passed by.
    middle = over[: max(0, len(over) - 2 * len(sources))]
    assert (middle <= largest).all()
    assert (middle >= -largest * (len(sources) - 1) - 1e-6).all()


@settings(max_examples=150, deadline=None)
@given(sources_of_a_blend(), st.integers(1, 3000), st.integers(0, 5))
def test_each_source_ends_at_the_whole_example_nearest_to_its_part(
    sources: list[BlendSource], tokens: int, seed: int
) -> None:
    order = blend(sources, BlendBudget(tokens=tokens), seed)
    got = placed_units(sources, order).sum(axis=0)
    for each, units, share in zip(sources, got, shares(sources), strict=True):
        assert abs(units - share * tokens) <= max(each.sizes.max(), 1)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 4), st.integers(0, 5))
def test_whole_epochs_place_every_example_equally_often_in_another_order_each_time(
    sizes: list[int], epochs: int, seed: int
) -> None:
    order = blend([source("ads", sizes)], BlendBudget(epochs=epochs), seed)
    passes = order.examples.reshape(epochs, len(sizes))
    assert all(sorted(each.tolist()) == list(range(len(sizes))) for each in passes)


def test_passes_differ_and_the_seed_decides_them() -> None:
    sources = [source("ads", [1] * 50)]
    order = blend(sources, BlendBudget(epochs=2), 1)
    assert order.examples[:50].tolist() != order.examples[50:].tolist()
    assert blend(sources, BlendBudget(epochs=2), 1).examples.tolist() == order.examples.tolist()
    assert blend(sources, BlendBudget(epochs=2), 2).examples.tolist() != order.examples.tolist()


def test_another_source_leaves_the_order_within_a_source_alone() -> None:
    ads, general = source("ads", [3] * 20), source("general", [1] * 200, role=Role.GENERAL)
    alone = blend([ads], BlendBudget(epochs=1), 1)
    both = blend([general, ads], BlendBudget(epochs=1), 1)
    assert both.examples[both.sources == 1].tolist() == alone.examples.tolist()


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        pytest.param(BlendBudget(epochs=2), [200, 600], id="passes over the in-domain data"),
        pytest.param(BlendBudget(epochs=0.5), [50, 150], id="half a pass"),
        pytest.param(BlendBudget(tokens=400), [100, 300], id="tokens of the whole blend"),
    ],
)
def test_budget(budget: BlendBudget, expected: list[int]) -> None:
    sources = [
        source("ads", [10] * 10, weight=25),
        source("general", [10] * 30, weight=75, role=Role.GENERAL),
    ]
    assert placed_units(sources, blend(sources, budget, 0)).sum(axis=0).tolist() == expected


def test_epochs_count_all_data_when_none_is_in_domain() -> None:
    sources = [source(name, [10] * 10, role=Role.GENERAL) for name in ("a", "b")]
    assert len(blend(sources, BlendBudget(epochs=3), 0).sources) == 60


def test_a_token_budget_is_met_whatever_the_unit() -> None:
    """Blended by examples: 4 of 100 tokens for each 1 of 25, so 850 tokens are 10 examples."""
    sources = [
        source("ads", [1] * 50, weight=4, tokens=5000),
        source("general", [1] * 50, weight=1, tokens=1250),
    ]
    order = blend(sources, BlendBudget(tokens=850), 0)
    assert np.bincount(order.sources).tolist() == [8, 2]


def test_a_source_too_small_is_an_error_with_numbers() -> None:
    sources = [
        source("ads", [10] * 100, weight=50),
        source("general", [10] * 20, weight=50, role=Role.GENERAL, max_epochs=4),
    ]
    with pytest.raises(BadData) as raised:
        blend(sources, BlendBudget(epochs=1), 0)
    assert raised.value.exit_code is ExitCode.BAD_DATA
    message = raised.value.message
    for part in (
        "sources[general] (general)",
        "needs 1,000 tokens",
        "has 200",
        "5.00 passes",
        "maxEpochs is 4",
    ):
        assert part in message
    assert "raise maxEpochs to 5, lower its weight from 50 to at most 40, or lower the budget" in message


def test_the_most_passes_are_exact() -> None:
    sources = [source("ads", [1] * 100, max_epochs=3)]
    assert len(blend(sources, BlendBudget(tokens=300), seed=0).examples) == 300
    with pytest.raises(BadData, match="maxEpochs is 3"):
        blend(sources, BlendBudget(tokens=301), seed=0)


def test_ties_go_to_the_first_source() -> None:
    sources = [source("ads", [1] * 3), source("web", [1] * 3)]
    assert blend(sources, BlendBudget(epochs=1), seed=0).sources.tolist() == [0, 1] * 3


def test_sources_of_one_size_have_orders_of_their_own() -> None:
    sources = [source("ads", [1] * 100), source("web", [1] * 100)]
    order = blend(sources, BlendBudget(epochs=1), seed=0)
    ads, web = (order.examples[order.sources == index] for index in range(2))
    assert (ads != web).any()


def test_the_weight_that_the_error_offers_suffices() -> None:
    sources = [source("ads", [7] * 100, weight=50), source("web", [11] * 20, weight=31, max_epochs=2)]
    with pytest.raises(BadData) as raised:
        blend(sources, BlendBudget(tokens=5000), 0)
    offered = float(raised.value.message.split("at most ")[1].split(",")[0])
    lighter = [sources[0], source("web", [11] * 20, weight=offered, max_epochs=2)]
    assert offered > 4
    blend(lighter, BlendBudget(tokens=5000), 0)


def test_all_sources_too_small_are_named_at_once() -> None:
    sources = [source(name, [1], max_epochs=1) for name in ("a", "b")]
    with pytest.raises(BadData) as raised:
        blend(sources, BlendBudget(tokens=100), 0)
    assert "(a)" in raised.value.message and "(b)" in raised.value.message


@pytest.mark.parametrize("weight", [0, -1, float("nan")])
def test_a_weight_must_be_above_zero(weight: float) -> None:
    with pytest.raises(BadConfiguration, match=r"sources\[ads\]\.weight: must be above 0"):
        blend([source("ads", [1], weight=weight)], BlendBudget(epochs=1), 0)


def test_an_empty_source_is_an_error() -> None:
    with pytest.raises(BadData, match="no example is left to train on"):
        blend([source("ads", [])], BlendBudget(epochs=1), 0)


@given(
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=30),
    first=st.floats(0.1, 3),
    then=st.floats(0.1, 3),
)
def test_a_blend_that_goes_on_takes_what_a_longer_one_would(
    sizes: list[int], first: float, then: float
) -> None:
    ads = source("ads", sizes)
    begun = blend([ads], BlendBudget(epochs=first), 7).examples
    gone_on = blend([replace(ads, start=len(begun))], BlendBudget(epochs=then), 7).examples
    taken = [*begun, *gone_on]
    at_once = blend([ads], BlendBudget(epochs=len(taken) // len(sizes) + 1), 7).examples
    assert taken == at_once.tolist()[: len(taken)]
