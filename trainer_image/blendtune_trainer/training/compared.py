"""Which predictions of the held-out rows are compared with those of the base model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blendtune_api.v1alpha1 import BlendedFineTuneSpec, Role, StoppingMetric
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.blending.packed import PackedBlend


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ComparedPositions:
    """Supervised tokens of the validation bins, by the bins' order. A bin without a role has none."""

    roles: tuple[Role | None, ...]  # [validation bins]
    offsets: NDArray[np.int64]  # [validation bins + 1]
    ordinals: NDArray[np.int64]  # [positions], each counted among the supervised tokens of its bin

    def __len__(self) -> int:
        return len(self.ordinals)

    def of_bin(self, index: int) -> slice:
        """The positions of one bin."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def count(self, role: Role) -> int:
        """Number of positions of a role."""
        counts = np.diff(self.offsets)
        return int(sum(count for count, own in zip(counts, self.roles, strict=True) if own is role))


def compared_positions(spec: BlendedFineTuneSpec, blend: PackedBlend) -> ComparedPositions:
    """The positions to compare: of each role all, or `spec.training.divergence.positions` evenly chosen.

    They depend on the blend alone, not on the ranks. Raises BadConfiguration if early stopping watches the
    divergence on general rows and none is held out.
    """
    roles = {source.name: source.role for source in spec.blend.sources}
    names = [blend.source_names[source] for source in blend.validation_bin_sources]
    positions = _choose(blend, tuple(map(roles.get, names)), spec.training.divergence.positions)
    stops = spec.training.early_stopping.metric is StoppingMetric.KL
    if stops and not positions.count(Role.GENERAL):
        raise BadConfiguration(
            "spec.training.earlyStopping.metric kl watches general held-out rows, and the blend has none: a "
            "source of fewer than ten rows holds out none. Give a source of role general more rows, or set "
            "metric: loss"
        )
    return positions


def _choose(blend: PackedBlend, roles: tuple[Role | None, ...], most: int) -> ComparedPositions:
    bins = range(blend.num_validation_bins)
    supervised = np.array([blend.validation_bin(index).supervised_tokens for index in bins], np.int64)
    chosen: list[NDArray[np.int64]] = [np.empty(0, np.int64) for _ in bins]
    for role in Role:
        own = [index for index in bins if roles[index] is role]
        ends = np.cumsum(supervised[own], dtype=np.int64)
        total = int(ends[-1]) if own else 0
        picked = np.linspace(0, total - 1, min(total, most)).astype(np.int64)
        for index, end in zip(own, ends, strict=True):
            start = end - supervised[index]
            chosen[index] = picked[np.searchsorted(picked, start) : np.searchsorted(picked, end)] - start
    return ComparedPositions(
        roles=roles,
        offsets=np.cumsum([0, *map(len, chosen)], dtype=np.int64),
        ordinals=np.concatenate([np.empty(0, np.int64), *chosen]),
    )
