"""Which rows of a source are held out for validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEWEST_ROWS = 10  # a smaller source holds out none


def held_out(keys: NDArray[np.uint64], fraction: float) -> NDArray[np.bool_]:
    """A mask [rows] of the held-out rows: `fraction` of the distinct ones, at least one of ten or more.

    `keys` [rows] are seeded hashes of the rows. The rows with the lowest keys are held out. So equal rows are
    either all trained on or all held out, and adding or removing other rows rarely moves a row.
    """
    distinct = np.unique(keys)
    if fraction == 0 or len(distinct) < _FEWEST_ROWS:
        return np.zeros(len(keys), np.bool_)
    count = max(1, round(fraction * len(distinct)))
    mask: NDArray[np.bool_] = keys <= distinct[count - 1]
    return mask
