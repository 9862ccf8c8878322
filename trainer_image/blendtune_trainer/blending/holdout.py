"""The rows held out of a source for validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEWEST_ROWS = 10  # below, a source is too small to spare one


def held_out(keys: NDArray[np.uint64], fraction: float) -> NDArray[np.bool_]:
    """[rows] which rows are held out: about `fraction` of the distinct ones, at least one of ten or more.

    `keys` are seeded digests of the rows. Those with the lowest keys are held out, so that equal rows go
    together and none is both trained on and validated on, and so that a row keeps its place when others
    come or go.
    """
    distinct = np.unique(keys)
    if fraction == 0 or len(distinct) < _FEWEST_ROWS:
        return np.zeros(len(keys), np.bool_)
    count = max(1, round(fraction * len(distinct)))
    mask: NDArray[np.bool_] = keys <= distinct[count - 1]
    return mask
