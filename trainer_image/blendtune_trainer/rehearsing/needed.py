"""How much the base model has to write: what the shares need, by the arithmetic of the blend itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from blendtune_trainer.blending.blend import BlendBudget, BlendSource, units_needed

_TOLERANCE = 1e-9  # as the blend's, of a number of passes


def units_to_write(index: int, sources: Sequence[BlendSource], budget: BlendBudget) -> float:
    """Units that source `index` must have for its passes to suffice, as far as can be told by now.

    A source without examples is taken to be like the others together.
    """
    known = [source for source in sources if source.units]
    likeness = replace(
        sources[index],
        sizes=np.array([max(1, sum(source.units for source in known))], np.int64),
        tokens=max(1, sum(source.tokens for source in known)),
    )
    filled = [
        source if source.units else replace(likeness, name=source.name, weight=source.weight)
        for source in sources
    ]
    return float(units_needed(filled, budget)[index]) / sources[index].max_epochs


def is_enough(index: int, sources: Sequence[BlendSource], budget: BlendBudget) -> bool:
    """Whether source `index` has enough examples for a blend that accepts it."""
    if not sources[index].units:
        return False
    return units_to_write(index, sources, budget) <= sources[index].units * (1 + _TOLERANCE)
