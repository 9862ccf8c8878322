"""The validation loss by epoch: the epoch after which more training no longer helped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from blendtune_api.v1alpha1 import EpochLoss, Role, SourceLoss

NOISE = 0.01  # relative: a loss within 1% of the lowest counts as equally good


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Losses by epoch, in order. Fewer than two allow no conclusion."""

    points: tuple[EpochLoss, ...] = ()

    @property
    def enough(self) -> EpochLoss | None:
        """The first epoch that was as good as the best; None if there are no epochs."""
        lowest = min((point.loss for point in self.points), default=0.0)
        return next((point for point in self.points if point.loss <= lowest * (1 + NOISE)), None)

    @property
    def is_overtrained(self) -> bool:
        """Whether an epoch before the last was as good as the best: the loss levelled off or grew."""
        return self.enough is not None and self.enough is not self.points[-1]

    @property
    def grew(self) -> bool:
        """Whether the loss at the end is higher than its minimum."""
        lowest = min((point.loss for point in self.points), default=0.0)
        return bool(self.points) and self.points[-1].loss > lowest * (1 + NOISE)

    @property
    def evidence(self) -> str:
        """A sentence for the diagnosis; empty if the model is not overtrained."""
        enough = self.enough
        if enough is None or not self.is_overtrained:
            return ""
        last = self.points[-1]
        what = "grew" if self.grew else "levelled off"
        return (
            f"The validation loss {what} after epoch {enough.epoch}: {enough.loss:.3f} then, "
            f"{last.loss:.3f} after epoch {last.epoch}."
        )

    @property
    def advice(self) -> str:
        """The advice to train for fewer epochs; empty if the model is not overtrained."""
        enough = self.enough
        if enough is None or not self.is_overtrained:
            return ""
        return try_epochs(enough.epoch)


def try_epochs(epochs: int) -> str:
    """The advice to train for this number of epochs."""
    return f"Try {epochs} epoch{'s' * (epochs != 1)} (spec.blend.budget.epochs)."


def learning_curve(validation_loss: Iterable[SourceLoss], roles: Mapping[str, Role]) -> LearningCurve:
    """The mean loss over the in-domain sources with held-out rows, or over all sources if none is in-domain.

    `roles` has the role of each source, by name.
    """
    losses = [loss for loss in validation_loss if loss.epochs]
    losses = [loss for loss in losses if roles.get(loss.name) is Role.IN_DOMAIN] or losses
    return LearningCurve(
        tuple(
            EpochLoss(epoch=points[0].epoch, loss=sum(point.loss for point in points) / len(points))
            for points in zip(*(loss.epochs for loss in losses), strict=False)
        )
    )
