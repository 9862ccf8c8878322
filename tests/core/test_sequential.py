"""Looks at a part of the questions: their critical values, p-values, and the order of the questions."""

from __future__ import annotations

from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_core.asking_order import balanced_order
from blendtune_core.power import Z
from blendtune_core.sequential import LOOKS, ONLY_LOOK, Look, looks


@pytest.mark.parametrize(
    ("of", "last"),
    [
        pytest.param(1, 1.960, id="1"),
        pytest.param(2, 1.977, id="2"),
        pytest.param(3, 2.004, id="3"),
        pytest.param(4, 2.024, id="4"),
        pytest.param(5, 2.040, id="5"),
        pytest.param(10, 2.087, id="10"),
    ],
)
def test_critical_values_are_those_of_the_tables(of: int, last: float) -> None:
    """Of O'Brien and Fleming's boundary, as Jennison and Turnbull (1999), table 2.3, print them."""
    assert Look(of, of).critical() == pytest.approx(last, abs=6e-4)
    assert Look(1, of).critical() == pytest.approx(last * of**0.5, abs=2e-3)


def test_random_walks_leave_the_bounds_as_often_as_they_say() -> None:
    walks = np.random.default_rng(1).standard_normal((200_000, LOOKS)).cumsum(1)
    each = walks / np.sqrt(np.arange(1, LOOKS + 1))
    for level in (0.95, 0.8):
        bounds = [Look(number).critical(level) for number in range(1, LOOKS + 1)]
        assert np.mean((np.abs(each) > bounds).any(1)) == pytest.approx(1 - level, abs=0.003)


@settings(deadline=None)
@given(number=st.integers(1, LOOKS), level=st.sampled_from([0.5, 0.8, 0.95, 0.99, 0.998]))
def test_a_p_value_reaches_a_level_where_the_interval_does(number: int, level: float) -> None:
    look = Look(number)
    plain = 2 * NormalDist().cdf(-look.critical(level))
    assert look.p_value(plain) == pytest.approx(1 - level, rel=1e-4)
    assert look.level(level) == pytest.approx(1 - plain)


@settings(deadline=None)
@given(number=st.integers(1, LOOKS), p_value=st.floats(0, 1))
def test_a_look_makes_no_p_value_smaller(number: int, p_value: float) -> None:
    assert p_value <= Look(number).p_value(p_value) <= 1


def test_the_only_look_changes_nothing() -> None:
    assert ONLY_LOOK.critical() == pytest.approx(Z)
    assert ONLY_LOOK.level(0.9) == 0.9
    assert ONLY_LOOK.p_value(0.03) == 0.03


@pytest.mark.parametrize(
    ("questions", "counts"),
    [
        pytest.param(300, [60, 120, 180, 240, 300], id="even"),
        pytest.param(22, [5, 9, 14, 18, 22], id="uneven"),
        pytest.param(3, [1, 2, 2, 3, 3], id="fewer than looks"),
    ],
)
def test_the_last_look_sees_every_question(questions: int, counts: list[int]) -> None:
    assert [count for _, count in looks(questions)] == counts
    assert [look.number for look, _ in looks(questions)] == [1, 2, 3, 4, 5]


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), max_size=120))
def test_each_part_of_the_order_has_its_share_of_every_category(categories: list[str]) -> None:
    order = balanced_order(categories)
    assert sorted(order) == list(range(len(categories)))
    whole = Counter(categories)
    for _, count in looks(len(order)):
        part = Counter(categories[index] for index in order[:count])
        for category, members in whole.items():
            assert abs(part[category] - members * count / len(order)) <= len(whole)


def test_the_order_is_seeded_and_random() -> None:
    order = balanced_order(["a"] * 40 + ["b"] * 40)
    assert order == balanced_order(["a"] * 40 + ["b"] * 40)
    assert [index for index in order if index < 40] != list(range(40))
