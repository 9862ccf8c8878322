"""The order in which an evaluation that may stop early asks its questions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

_SEED = 20231007


def balanced_order(categories: Sequence[Hashable]) -> list[int]:
    """The order in which questions of these categories are asked, as indices: random, and seeded.

    Each part of it has about the same share of every category.
    """
    random = np.random.default_rng(_SEED)
    members: dict[Hashable, list[int]] = {}
    for index, category in enumerate(categories):
        members.setdefault(category, []).append(index)
    places: dict[int, float] = {}
    for questions in members.values():
        shuffled = random.permutation(questions).tolist()
        within = (np.arange(len(shuffled)) + random.random(len(shuffled))) / len(shuffled)
        places |= dict(zip(shuffled, within.tolist(), strict=True))
    return sorted(places, key=lambda index: places[index])
