"""KL(base, tuned) from some outcomes and one for the rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from blendtune_core.divergence import divergence, kept_bytes

Floats = NDArray[np.float64]
LOGITS = arrays.arrays(np.float64, (2, 3, 12), elements=st.floats(-30, 30))


def logarithms(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found


def merged(probabilities: Floats, first: int) -> Floats:
    """The first outcomes, and all others as one."""
    rest = np.logaddexp.reduce(probabilities[:, first:], axis=1, keepdims=True)
    return np.concatenate([probabilities[:, :first], rest], axis=1)


def exact(base: Floats, tuned: Floats) -> Floats:
    total: Floats = (np.exp(base) * (base - tuned)).sum(axis=1)
    return total


@settings(max_examples=200, deadline=None, derandomize=True)
@given(LOGITS, st.integers(0, 11), st.integers(0, 11))
def test_fewer_outcomes_never_show_more(logits: Floats, one: int, other: int) -> None:
    base, tuned = logarithms(logits)
    fewer, more = sorted((one, other))
    low, high = (divergence(merged(base, first), merged(tuned, first)) for first in (fewer, more))
    assert (low >= -1e-12).all()
    assert (low <= high + 1e-9).all()
    assert (high <= exact(base, tuned) + 1e-9).all()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(LOGITS)
def test_all_outcomes_show_all_of_it(logits: Floats) -> None:
    base, tuned = logarithms(logits)
    none_left = np.full((len(base), 1), -np.inf)
    found = divergence(np.hstack([base, none_left]), np.hstack([tuned, none_left]))
    assert found == pytest.approx(exact(base, tuned), abs=1e-12)


def test_the_direction_is_from_the_base_model() -> None:
    base, tuned = np.log([[0.5, 0.5]]), np.log([[0.9, 0.1]])
    assert divergence(base, tuned) == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1))
    assert divergence(tuned, base) != pytest.approx(divergence(base, tuned))


def test_what_the_tuned_model_holds_impossible_diverges_without_bound() -> None:
    assert divergence(np.log([[0.5, 0.5]]), np.array([[0.0, -np.inf]])) == [np.inf]


def test_the_default_keeps_seventeen_megabytes() -> None:
    assert kept_bytes(16_384) == 16_908_288
