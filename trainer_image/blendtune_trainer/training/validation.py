"""The validation loss of each source over its held-out rows, and early stopping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.training.batches import micro_batches
from blendtune_trainer.training.microbatch import evaluating, forward


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationLoss:
    """Nats per supervised token: of each source with held-out rows, and of all of them together."""

    by_source: Mapping[str, float]
    mean: float


def validation_loss(
    engine: Any, blend: PackedBlend, ranks: Ranks, *, interrupted: Callable[[], bool]
) -> ValidationLoss | None:
    """The validation loss. Every rank calls it and gets the same value; None if any rank is `interrupted`.

    `interrupted` is called before every validation bin.
    """
    sums = [0.0] * len(blend.source_names)
    counts = [0] * len(blend.source_names)
    with evaluating(engine):
        for indices in micro_batches(range(blend.num_validation_bins), ranks.rank, ranks.world_size):
            if ranks.any(interrupted()):
                return None
            bins = [blend.validation_bin(index) for index in indices]
            nll = float(forward(engine, bins, ranks.device))
            for index, contents in zip(indices, bins, strict=True):
                source = int(blend.validation_bin_sources[index])
                sums[source] += nll
                counts[source] += contents.supervised_tokens
    totals = ranks.sum([*sums, *counts])
    return _mean_losses(blend.source_names, totals[: len(sums)], totals[len(sums) :])


def _mean_losses(names: Sequence[str], sums: Sequence[float], counts: Sequence[float]) -> ValidationLoss:
    by_source = {name: total / count for name, total, count in zip(names, sums, counts, strict=True) if count}
    return ValidationLoss(by_source=by_source, mean=sum(sums) / max(1, sum(counts)))


def out_of_patience(history: Sequence[float], patience: int) -> bool:
    """Whether none of the last `patience` losses is below the best one before them. 0 disables it."""
    if patience == 0 or len(history) <= patience:
        return False
    best = min(history[:-patience])
    return all(loss >= best for loss in history[-patience:])
