"""Validation: the loss on each source's held-out rows, how far they diverge, and early stopping."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from torch import Tensor

from blendtune_api.v1alpha1 import EarlyStopping, Role, StoppingMetric
from blendtune_runtime.errors import Preempted
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.training.base_predictions import BasePredictions, Recording
from blendtune_trainer.training.batches import micro_batches
from blendtune_trainer.training.compared import ComparedPositions
from blendtune_trainer.training.divergence import Compared, Comparison
from blendtune_trainer.training.microbatch import assemble, evaluating, forward


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationLoss:
    """Nats per supervised token: of each source with held-out rows, and of all of them together."""

    by_source: Mapping[str, float]
    mean: float
    divergence: Mapping[Role, float] = field(default_factory=dict)  # KL(base, tuned), nats per token


def validate(
    engine: Any, blend: PackedBlend, ranks: Ranks, compared: Compared | None, interrupted: Callable[[], bool]
) -> ValidationLoss | None:
    """The validation loss with the divergence, as `validation_loss`; without `compared` only the loss."""
    if compared is None:
        return validation_loss(engine, blend, ranks, interrupted=interrupted)
    comparison = Comparison(compared)
    loss = validation_loss(engine, blend, ranks, interrupted=interrupted, read=comparison.read)
    return None if loss is None else replace(loss, divergence=comparison.finish(ranks))


def record(
    engine: Any,
    blend: PackedBlend,
    ranks: Ranks,
    positions: ComparedPositions,
    vocabulary_size: int,
    interrupted: Callable[[], bool],
) -> BasePredictions:
    """What an untrained `engine` predicts at the positions: one pass over the validation bins.

    Every rank calls it and gets the same. Raises Preempted if any rank is `interrupted`.
    """
    recording = Recording(positions, vocabulary_size)
    if validation_loss(engine, blend, ranks, interrupted=interrupted, read=recording.read) is None:
        raise Preempted("stopped on request while the base model read the held-out rows; it will again")
    return recording.finish(ranks)


def validation_loss(
    engine: Any,
    blend: PackedBlend,
    ranks: Ranks,
    *,
    interrupted: Callable[[], bool],
    read: Callable[[int, Tensor], None] | None = None,
) -> ValidationLoss | None:
    """The validation loss. Every rank calls it and gets the same value; None if any rank is `interrupted`.

    `interrupted` is called before every validation bin. `read` gets the number of each bin that this rank
    reads, and its logits [supervised tokens, vocabulary].
    """
    sums = [0.0] * len(blend.source_names)
    counts = [0] * len(blend.source_names)
    with evaluating(engine):
        for indices in micro_batches(range(blend.num_validation_bins), ranks.rank, ranks.world_size):
            if ranks.any(interrupted()):
                return None
            bins = [blend.validation_bin(index) for index in indices]
            own = partial(read, indices[0]) if read is not None and indices else None
            nll = float(forward(engine, assemble(bins, ranks.device), own))
            for index, contents in zip(indices, bins, strict=True):
                source = int(blend.validation_bin_sources[index])
                sums[source] += nll
                counts[source] += contents.supervised_tokens
    totals = ranks.sum([*sums, *counts])
    return _mean_losses(blend.source_names, totals[: len(sums)], totals[len(sums) :])


def _mean_losses(names: Sequence[str], sums: Sequence[float], counts: Sequence[float]) -> ValidationLoss:
    by_source = {name: total / count for name, total, count in zip(names, sums, counts, strict=True) if count}
    return ValidationLoss(by_source=by_source, mean=sum(sums) / max(1, sum(counts)))


def reason_to_stop(early: EarlyStopping, validations: Sequence[ValidationLoss]) -> str:
    """Why the training shall stop after these validations, in their order; "" if it shall continue."""
    if early.metric is StoppingMetric.LOSS:
        if out_of_patience([each.mean for each in validations], early.patience):
            return (
                f"the last {early.patience} validations did not improve the loss on held-out rows "
                "(spec.training.earlyStopping.patience)"
            )
        return ""
    found = validations[-1].divergence.get(Role.GENERAL) if validations else None
    if early.max is None or found is None or found <= early.max:
        return ""
    return (
        f"KL(base, tuned) on general held-out rows reached {found:.4g} nats per token, above "
        f"spec.training.earlyStopping.max {early.max:g}"
    )


def out_of_patience(history: Sequence[float], patience: int) -> bool:
    """Whether none of the last `patience` losses is below the best one before them. 0 disables it."""
    if patience == 0 or len(history) <= patience:
        return False
    best = min(history[:-patience])
    return all(loss >= best for loss in history[-patience:])
