"""How much is to be written: exactly as much as lets the blend accept the source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_api.v1alpha1 import Role, Unit
from blendtune_runtime.errors import BadData
from blendtune_trainer.blending.blend import BlendBudget, BlendSource, blend
from blendtune_trainer.rehearsing.needed import is_enough, units_to_write


def source(name: str, sizes: list[int], weight: float = 50, passes: float = 2, **more: object) -> BlendSource:
    role = Role.IN_DOMAIN if name == "ads" else Role.GENERAL
    made = BlendSource(
        name=name,
        role=role,
        weight=weight,
        max_epochs=passes,
        sizes=np.array(sizes, np.int64),
        tokens=sum(sizes),
    )
    return replace(made, **more)  # type: ignore[arg-type]


ADS = source("ads", [100] * 10, passes=100)


@pytest.mark.parametrize(
    ("known", "budget", "expected"),
    [
        pytest.param(source("known", []), BlendBudget(epochs=2), 1000, id="an equal share in two passes"),
        pytest.param(source("known", [], passes=1), BlendBudget(epochs=2), 2000, id="in one pass"),
        pytest.param(source("known", [], weight=150), BlendBudget(epochs=2), 3000, id="three quarters"),
        pytest.param(source("known", []), BlendBudget(tokens=8000), 2000, id="of a budget of tokens"),
        pytest.param(source("known", [10, 20]), BlendBudget(epochs=2), 1000, id="whatever is there"),
    ],
)
def test_the_shares_say_how_much_is_needed(known: BlendSource, budget: BlendBudget, expected: float) -> None:
    assert units_to_write(1, [ADS, known], budget) == pytest.approx(expected)


def test_nothing_is_never_enough() -> None:
    assert not is_enough(1, [ADS, source("known", [])], BlendBudget(epochs=0.001))


def test_two_sources_that_are_both_to_be_written_need_their_own_shares() -> None:
    sources = [ADS, source("known", [], weight=25), source("asked", [], weight=75)]
    budget = BlendBudget(epochs=1)
    assert [units_to_write(index, sources, budget) for index in (1, 2)] == pytest.approx([250, 750])


SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=40)


@given(
    SIZES,
    SIZES,
    st.floats(0.1, 10),
    st.sampled_from([1.0, 2.0, 2.5]),
    st.sampled_from(Unit),
    st.one_of(
        st.builds(BlendBudget, epochs=st.floats(0.1, 4)), st.builds(BlendBudget, tokens=st.integers(1, 5000))
    ),
)
def test_enough_is_what_the_blend_accepts(
    ads: list[int], known: list[int], weight: float, passes: float, unit: Unit, budget: BlendBudget
) -> None:
    if unit is Unit.EXAMPLES:
        sources = [
            replace(source("ads", ads, passes=1e9), sizes=np.ones(len(ads), np.int64)),
            replace(source("known", known, weight, passes), sizes=np.ones(len(known), np.int64)),
        ]
    else:
        sources = [source("ads", ads, passes=1e9), source("known", known, weight, passes)]
    try:
        blend(sources, budget, seed=1)
        accepted = True
    except BadData:
        accepted = False
    assert is_enough(1, sources, budget) == accepted
