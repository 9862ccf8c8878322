"""How far the predictions on held-out rows have moved from the base model's, by role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from blendtune_api.v1alpha1 import Role
from blendtune_core.divergence import divergence
from blendtune_runtime.outcomes import outcomes
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.training.base_predictions import BasePredictions
from blendtune_trainer.training.compared import ComparedPositions
from blendtune_trainer.training.loss import split_rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """The positions that are compared, and what the base model predicts there."""

    positions: ComparedPositions
    base: BasePredictions

    def counts(self) -> Mapping[Role, int]:
        """Number of positions of each role that has some."""
        counts = {role: self.positions.count(role) for role in Role}
        return {role: count for role, count in counts.items() if count}


class Comparison:
    """Sums the divergence while a rank reads its validation bins; every rank has one for each validation."""

    def __init__(self, compared: Compared) -> None:
        self._compared = compared
        self._sums = dict.fromkeys(Role, 0.0)

    def read(self, index: int, logits: Tensor) -> None:
        """Compares validation bin `index`. `logits` are [supervised tokens, vocabulary]."""
        positions, base = self._compared.positions, self._compared.base
        role, here = positions.roles[index], positions.of_bin(index)
        if role is None:
            return
        ordinals = torch.from_numpy(positions.ordinals[here]).to(logits.device)
        token_ids = torch.from_numpy(base.token_ids[here]).to(logits.device, torch.int64)
        found = [
            outcomes(logits[rows], ids).cpu()
            for rows, ids in zip(
                split_rows(ordinals, logits.shape[1]), split_rows(token_ids, logits.shape[1]), strict=True
            )
        ]
        self._sums[role] += float(divergence(base.logarithms[here], torch.cat(found).numpy()).sum())

    def finish(self, ranks: Ranks) -> Mapping[Role, float]:
        """KL(base, tuned) of each role with positions, in nats per token; every rank calls it."""
        totals = dict(zip(self._sums, ranks.sum(list(self._sums.values())), strict=True))
        return {role: max(0.0, totals[role] / count) for role, count in self._compared.counts().items()}
