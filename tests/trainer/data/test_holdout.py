"""The validation split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_trainer.blending.holdout import held_out


@pytest.mark.parametrize(
    ("distinct", "fraction", "expected"),
    [
        pytest.param(1000, 0.02, 20, id="a fiftieth"),
        pytest.param(10, 0.02, 1, id="at least one of ten"),
        pytest.param(9, 0.5, 0, id="none of nine"),
        pytest.param(1000, 0.0, 0, id="none asked for"),
        pytest.param(1000, 0.5, 500, id="half"),
    ],
)
def test_how_many_rows(distinct: int, fraction: float, expected: int) -> None:
    keys = np.random.default_rng(0).permutation(distinct).astype(np.uint64)
    assert held_out(keys, fraction).sum() == expected


@given(st.lists(st.integers(0, 30), max_size=100), st.floats(0, 0.5))
def test_equal_rows_go_together_and_most_stay(keys: list[int], fraction: float) -> None:
    mask = held_out(np.array(keys, np.uint64), fraction)
    held = {key for key, out in zip(keys, mask, strict=True) if out}
    trained = {key for key, out in zip(keys, mask, strict=True) if not out}
    assert not held & trained
    assert not keys or trained
