"""The plan of a training: its steps, validations and exported models, decided before the first step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from blendtune_api.v1alpha1 import MAX_EPOCH_MODELS, Blend, BlendedFineTuneSpec, Role
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.training.batches import count_steps, epoch_ends

_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Step k, counted from 0, reads the bins [k * bins_per_step, (k + 1) * bins_per_step)."""

    steps: int
    bins_per_step: int
    bins_per_micro_batch: int
    validate_at: frozenset[int]  # numbers of steps taken
    epoch_models: Mapping[int, int]  # steps taken -> passes completed, for each model to export


def make_plan(spec: BlendedFineTuneSpec, blend: PackedBlend, bins_per_micro_batch: int) -> Plan:
    """The plan for a blend. Raises BadConfiguration as `planned_models` does."""
    steps = _steps(spec, blend)
    return Plan(
        steps=steps,
        bins_per_step=_bins_per_step(spec),
        bins_per_micro_batch=bins_per_micro_batch,
        validate_at=frozenset({0, *epoch_ends(steps, _epochs(spec.blend, blend))}),
        epoch_models=planned_models(spec, blend),
    )


def planned_models(spec: BlendedFineTuneSpec, blend: PackedBlend) -> dict[int, int]:
    """The models that `spec.evaluation.everyEpoch` asks for: steps taken -> passes completed.

    The end of the training is left out, because its model is exported anyway. Raises BadConfiguration if
    there are more than MAX_EPOCH_MODELS.
    """
    if not spec.evaluation.every_epoch:
        return {}
    epochs = _epochs(spec.blend, blend)
    *between, steps = epoch_ends(_steps(spec, blend), epochs)
    if len(between) > MAX_EPOCH_MODELS:
        raise BadConfiguration(
            f"spec.evaluation.everyEpoch: {len(between)} models before the last, and at most "
            f"{MAX_EPOCH_MODELS} are kept; lower spec.blend.budget or set everyEpoch to false"
        )
    return {step: math.floor(step * epochs / steps + _ROUNDING) for step in between}


def _bins_per_step(spec: BlendedFineTuneSpec) -> int:
    return spec.training.batch_tokens // spec.training.sequence_length


def _steps(spec: BlendedFineTuneSpec, blend: PackedBlend) -> int:
    return count_steps(blend.num_bins, _bins_per_step(spec))


def _epochs(spec: Blend, blend: PackedBlend) -> float:
    """Passes over the in-domain data; over all data, if none is in-domain."""
    if spec.budget.epochs is not None:
        return spec.budget.epochs
    in_domain = {source.name for source in spec.sources if source.role is Role.IN_DOMAIN}
    return blend.passes(in_domain or {source.name for source in spec.sources})
