"""The scores by epoch: the epoch after which more training no longer helped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blendtune_api.v1alpha1 import EpochScope, EpochScore
from blendtune_core.learning_curve import try_epochs

MEANINGFUL_GAIN = 0.05  # a gain whose whole interval lies below this counts as none


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """Scores after earlier epochs, in order, each with the gain of the final model since then."""

    epochs: tuple[EpochScore, ...] = ()

    @property
    def better(self) -> EpochScore | None:
        """The first epoch since which the score of a domain surely fell and none surely rose."""
        return next((epoch for epoch in self.epochs if _fell(epoch) and not _rose(epoch)), None)

    @property
    def enough(self) -> EpochScore | None:
        """The first epoch after which there was surely no meaningful gain in-domain."""
        return next((epoch for epoch in self.epochs if _is_level(epoch) and not _rose(epoch)), None)

    @property
    def fell(self) -> bool:
        return self.better is not None

    @property
    def is_overtrained(self) -> bool:
        return self._best is not None

    @property
    def evidence(self) -> str:
        """A sentence for the diagnosis; empty if the model is not overtrained."""
        best = self._best
        if best is None:
            return ""
        changes = ", ".join(f"{name} {scope.gain:+.2f}" for name, scope in _measured(best))
        what = "fell" if self.fell else "levelled off"
        return f"The scores {what} after epoch {best.epoch}; since then {changes}."

    @property
    def advice(self) -> str:
        """The advice to train for fewer epochs; empty if the model is not overtrained."""
        best = self._best
        if best is None:
            return ""
        return try_epochs(best.epoch)

    @property
    def _best(self) -> EpochScore | None:
        return self.better or self.enough


def _measured(epoch: EpochScore) -> Iterator[tuple[str, EpochScope]]:
    for name, scope in (("in-domain", epoch.in_domain), ("general", epoch.general)):
        if scope is not None and scope.gain is not None:
            yield name, scope


def _fell(epoch: EpochScore) -> bool:
    return any(scope.high is not None and scope.high < 0 for _, scope in _measured(epoch))


def _rose(epoch: EpochScore) -> bool:
    return any(scope.low is not None and scope.low > 0 for _, scope in _measured(epoch))


def _is_level(epoch: EpochScore) -> bool:
    domain = epoch.in_domain
    return domain is not None and domain.high is not None and domain.high < MEANINGFUL_GAIN
