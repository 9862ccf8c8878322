"""Which examples are trained on, how often and in which order, from sizes, weights and a seed alone.

Sizes are in the unit of the blend: tokens, supervised tokens or examples. Every prefix of the order has the
declared shares, because the next example always comes from the source that is furthest behind its share.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from blendtune_api.v1alpha1 import Role, Unit
from blendtune_runtime.errors import BadConfiguration, BadData

_TOLERANCE = 1e-9  # rounding error of a number of passes
_UNIT_WORDS = {Unit.TOKENS: "tokens", Unit.SUPERVISED_TOKENS: "supervised tokens", Unit.EXAMPLES: "examples"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BlendSource:
    """One source of a blend."""

    name: str
    role: Role
    weight: float
    max_epochs: float  # passes, at most
    sizes: NDArray[np.int64]  # [examples] units of each
    tokens: int  # of all examples together
    unit: Unit = Unit.TOKENS  # of the sizes, for error messages
    start: int = 0  # examples taken by an earlier training, counted over all passes
    field: str = "spec.blend.sources"  # path in the spec, for error messages

    @property
    def units(self) -> int:
        """Units of all examples together."""
        return int(self.sizes.sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendBudget:
    """Passes over the in-domain data (over all data, if none is in-domain), or tokens. Exactly one is set."""

    epochs: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BlendOrder:
    """The examples in training order: example `examples[i]` of source `sources[i]`."""

    sources: NDArray[np.int16]  # [placements]
    examples: NDArray[np.int32]  # [placements]


def blend(sources: Sequence[BlendSource], budget: BlendBudget, seed: int) -> BlendOrder:
    """The order of a blend.

    Each source is taken in seeded permutations, a new one for each pass, up to the whole example that is
    nearest to its share of the budget. Raises BadData if a source is empty or needs more than `max_epochs`
    passes, BadConfiguration for a budget or weight that is invalid.
    """
    _check(sources, budget)
    needed = units_needed(sources, budget)
    _check_passes(sources, needed, budget)
    queues = [_draw(source, units, seed) for source, units in zip(sources, needed, strict=True)]
    sizes = [source.sizes[queue] for source, queue in zip(sources, queues, strict=True)]
    order = _merge(sizes, shares(sources))
    examples = np.empty(len(order), np.int32)
    for index, queue in enumerate(queues):
        examples[order == index] = queue
    return BlendOrder(sources=order, examples=examples)


def shares(sources: Sequence[BlendSource]) -> NDArray[np.float64]:
    """[sources] the weights, normalised to a sum of 1."""
    weights = np.array([source.weight for source in sources], np.float64)
    normalised: NDArray[np.float64] = weights / weights.sum()
    return normalised


def units_needed(sources: Sequence[BlendSource], budget: BlendBudget) -> NDArray[np.float64]:
    """[sources] units of each source that the budget requires."""
    share = shares(sources)
    units = np.array([source.units for source in sources], np.float64)
    if budget.tokens is not None:
        tokens_per_unit = np.array([source.tokens for source in sources]) / units
        return np.asarray(share * (budget.tokens / float(share @ tokens_per_unit)))
    in_domain = np.array([source.role is Role.IN_DOMAIN for source in sources])
    counted = in_domain if in_domain.any() else np.ones(len(sources), np.bool_)
    assert budget.epochs is not None
    return np.asarray(share * (budget.epochs * units[counted].sum() / share[counted].sum()))


def _check(sources: Sequence[BlendSource], budget: BlendBudget) -> None:
    if (budget.epochs is None) == (budget.tokens is None):
        raise BadConfiguration("spec.blend.budget: set exactly one of epochs and tokens")
    for source in sources:
        if not source.weight > 0:
            raise BadConfiguration(f"{source.field}.weight: must be above 0, got {source.weight:g}")
        if not source.units:
            raise BadData(f"{source.field} ({source.name}): no example is left to train on")


def _check_passes(sources: Sequence[BlendSource], needed: NDArray[np.float64], budget: BlendBudget) -> None:
    faults = [
        _too_small(index, sources, budget, float(units))
        for index, (source, units) in enumerate(zip(sources, needed, strict=True))
        if units > source.max_epochs * source.units * (1 + _TOLERANCE)
    ]
    if faults:
        raise BadData("\n".join(faults))


def _too_small(index: int, sources: Sequence[BlendSource], budget: BlendBudget, needed: float) -> str:
    source = sources[index]
    passes = needed / source.units
    weight = _largest_weight(index, sources, budget)
    lighter = f", lower its weight from {source.weight:g} to at most {weight:.3g}" if weight else ""
    return (
        f"{source.field} ({source.name}): the budget needs {needed:,.0f} {_UNIT_WORDS[source.unit]} of this "
        f"source, which has {source.units:,}: {passes:.2f} passes, and maxEpochs is {source.max_epochs:g}. "
        f"Add rows, raise maxEpochs to {_rounded_up(passes):g}{lighter}, or lower the budget"
    )


def _largest_weight(index: int, sources: Sequence[BlendSource], budget: BlendBudget) -> float:
    """The largest weight for which the source suffices, rounded down to 3 digits; 0 if there is none."""
    low, high = 0.0, sources[index].weight
    for _ in range(60):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        lighter = replace(sources[index], weight=middle)
        needed = units_needed([*sources[:index], lighter, *sources[index + 1 :]], budget)[index]
        if needed > lighter.max_epochs * lighter.units:
            high = middle
        else:
            low = middle
    if low < sources[index].weight * 1e-6:
        return 0.0
    step = 10.0 ** (np.floor(np.log10(low)) - 2)
    return float(np.floor(low / step) * step)


def _rounded_up(passes: float) -> float:
    return float(np.ceil(passes * 100) / 100)


def _draw(source: BlendSource, units: float, seed: int) -> NDArray[np.int32]:
    """Examples of a source, pass after pass from its start on, whose sum of sizes is nearest to `units`."""
    count = len(source.sizes)
    first, taken = divmod(source.start, count)
    passes = max(1, int(np.ceil(units / source.units - _TOLERANCE))) + (taken > 0)
    numbers = range(first, first + passes)
    drawn = np.concatenate([_permutation(count, source.name, number, seed) for number in numbers])[taken:]
    reached = np.cumsum(source.sizes[drawn])
    end = int(np.searchsorted(reached, units))  # the first example with which the sum reaches `units`
    before = reached[end - 1] if end else 0
    if end == len(reached) or units - before < reached[end] - units:
        return drawn[: max(end, 1)]
    return drawn[: end + 1]


def _permutation(count: int, name: str, number: int, seed: int) -> NDArray[np.int32]:
    """The order of pass `number`.

    It is keyed by the name of the source, so that adding a source does not change the order of the others.
    """
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    generator = np.random.default_rng([seed, key, number])
    return generator.permutation(count).astype(np.int32)


def _merge(sizes: Sequence[NDArray[np.int64]], share: NDArray[np.float64]) -> NDArray[np.int16]:
    """[placements] the source of each: the one furthest behind its share of the units placed so far.

    Ties go to the first source. A source whose examples are used up is skipped.
    """
    queues = [np.ascontiguousarray(queue, np.int64).data for queue in sizes]
    fraction = share.tolist()
    placed = [0] * len(queues)
    position = [0] * len(queues)
    active = [index for index, queue in enumerate(queues) if len(queue)]
    total = 0
    order = array("h")
    while active:
        chosen = active[0]
        deficit = fraction[chosen] * total - placed[chosen]
        for index in active[1:]:
            candidate = fraction[index] * total - placed[index]
            if candidate > deficit:
                chosen, deficit = index, candidate
        size = queues[chosen][position[chosen]]
        order.append(chosen)
        total += size
        placed[chosen] += size
        position[chosen] += 1
        if position[chosen] == len(queues[chosen]):
            active.remove(chosen)
    return np.array(order, np.int16)
