"""The agreement of two graders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_core.agreement import agreement, cohens_kappa


def graded(both: int, first: int, second: int, neither: int) -> list[tuple[bool, bool]]:
    """Answers that both, only the first, only the second, or neither of the graders called correct."""
    counts = {(True, True): both, (True, False): first, (False, True): second, (False, False): neither}
    return [pair for pair, count in counts.items() for _ in range(count)]


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        pytest.param((20, 5, 10, 15), 0.4, id="the-textbook's"),  # (0.7 - 0.5) / (1 - 0.5)
        pytest.param((45, 15, 25, 15), 0.1304, id="same-share-little-kappa"),  # (0.6 - 0.54) / 0.46
        pytest.param((25, 35, 5, 35), 0.2593, id="same-share-more-kappa"),  # (0.6 - 0.46) / 0.54
        pytest.param((10, 0, 0, 20), 1.0, id="perfect"),
        pytest.param((0, 10, 10, 0), -1.0, id="opposite"),
        pytest.param((10, 10, 10, 10), 0.0, id="by-chance"),
        pytest.param((30, 0, 0, 0), None, id="one-grade"),
    ],
)
def test_kappa(counts: tuple[int, int, int, int], kappa: float | None) -> None:
    """By hand; sklearn.metrics.cohen_kappa_score gives the same."""
    found = cohens_kappa(graded(*counts))
    assert found == (None if kappa is None else pytest.approx(kappa, abs=1e-4))


def test_the_share_has_wilsons_interval() -> None:
    found = agreement(graded(12, 2, 1, 15))
    assert (found.n, found.agreed, found.share) == (30, 27, 0.9)
    assert (found.low, found.high) == pytest.approx((0.7438, 0.9654), abs=1e-4)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_it_does_not_matter_who_is_first(grades: list[tuple[bool, bool]]) -> None:
    found, turned = agreement(grades), agreement([(second, first) for first, second in grades])
    assert found.low <= found.share <= found.high
    assert (found.share, found.kappa) == (turned.share, pytest.approx(turned.kappa))


def test_without_grades_there_is_no_agreement() -> None:
    with pytest.raises(ValueError, match="no answer"):
        agreement([])
