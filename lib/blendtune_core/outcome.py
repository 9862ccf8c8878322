"""How a run ended, in the terms of the diagnosis: what moved, what was lost, what the gates say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blendtune_api.v1alpha1 import (
    BlendedSource,
    GateResult,
    GateStatus,
    Metric,
    Role,
    ScopeScore,
    SourceLoss,
)
from blendtune_core.gates import Scores
from blendtune_core.learning_curve import LearningCurve, learning_curve
from blendtune_core.score_curve import MEANINGFUL_GAIN, ScoreCurve
from blendtune_core.verdict import Direction, direction, general_margin, is_kept, shown_losses

POOR_SCORE = 0.5  # an in-domain score counts as poor if its whole interval is lower
CEILING = 0.9  # a base model's score above which questions leave little to gain
GENERAL_LOSS_RISE = 0.05  # nats per token by which the loss on general rows may rise
LEARNT_LOSS = 0.7  # of the loss before training: in-domain rows whose loss fell below are learnt
KNOWN_BY_HEART = 0.1  # nats per token: the loss of rows that are known by heart
MOSTLY_GENERAL = 0.25  # share of in-domain data below which more general data is no remedy


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What the model was trained on, and its validation losses. Each part may be empty."""

    roles: Mapping[str, Role] = field(default_factory=dict)  # by the name of the source
    sources: tuple[BlendedSource, ...] = ()
    validation_loss: tuple[SourceLoss, ...] = ()

    @property
    def in_domain_share(self) -> float | None:
        """The achieved share of in-domain data; None if the blend is unknown."""
        shares = {Role.IN_DOMAIN: 0.0, Role.GENERAL: 0.0}
        for source in self.sources:
            if source.name in self.roles:
                shares[self.roles[source.name]] += source.achieved_share
        total = sum(shares.values())
        return shares[Role.IN_DOMAIN] / total if total else None

    def losses(self, role: Role) -> Iterator[tuple[float, float]]:
        """The loss before and after training of each held-out source of a role, in nats per token."""
        for loss in self.validation_loss:
            if self.roles.get(loss.name) is role and loss.before is not None and loss.after is not None:
                yield loss.before, loss.after


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """Scores, gates and training of one run."""

    scores: Scores
    gates: Sequence[GateStatus]
    trained: Trained
    losses: LearningCurve
    curve: ScoreCurve

    @classmethod
    def of(cls, scores: Scores, gates: Sequence[GateStatus], trained: Trained) -> Outcome:
        losses = learning_curve(trained.validation_loss, trained.roles)
        return cls(
            scores=scores, gates=gates, trained=trained, losses=losses, curve=ScoreCurve(scores.epochs)
        )

    @property
    def retention_gates(self) -> tuple[GateStatus, ...]:
        return tuple(gate for gate in self.gates if gate.metric is Metric.RETENTION)

    @property
    def drop_gates(self) -> tuple[GateStatus, ...]:
        """The gates on the drop of the general score."""
        return tuple(gate for gate in self.gates if gate.metric is Metric.GENERAL and gate.rule == "maxDrop")

    @property
    def compared(self) -> Compared | None:
        """The outcome with the differences in both domains; None if one of them was not measured."""
        general, in_domain = self.scores.general, self.scores.in_domain
        if general is None or in_domain is None or None in (general.delta, in_domain.delta):
            return None
        return Compared(outcome=self, general=general, in_domain=in_domain)

    @property
    def in_domain_fell(self) -> bool:
        """Whether the in-domain score surely fell, whatever the general one did."""
        return self.scores.in_domain is not None and direction(self.scores.in_domain) is Direction.DOWN

    @property
    def general_fell(self) -> bool:
        """Whether the general score surely fell by more than is tolerated, or a gate on its drop failed."""
        results = {gate.result for gate in self.drop_gates}
        if GateResult.FAILED in results:
            return True
        general = self.scores.general
        fell = general is not None and direction(general) is Direction.DOWN
        return fell and GateResult.PASSED not in results

    @property
    def grew(self) -> bool:
        """Whether the loss grew from its lowest epoch to the last, or a score fell since an earlier one."""
        return self.losses.grew or self.curve.fell

    @property
    def is_overtrained(self) -> bool:
        """Whether an earlier epoch was as good as the last: by the losses or by the scores."""
        return self.losses.is_overtrained or self.curve.is_overtrained

    @property
    def fewer_epochs(self) -> str:
        """The advice to train for fewer epochs; empty if none was too many."""
        return self.curve.advice or self.losses.advice

    @property
    def cheaper_epochs(self) -> str:
        """The same for a model that is none the worse for them."""
        tried = self.fewer_epochs
        return f"The last epochs changed little; to save time: {tried[0].lower()}{tried[1:]}" if tried else ""

    @property
    def curve_evidence(self) -> tuple[str, str]:
        return self.losses.evidence, self.curve.evidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """An outcome with the differences in both domains."""

    outcome: Outcome
    general: ScopeScore
    in_domain: ScopeScore

    @property
    def general_moved(self) -> Direction:
        return direction(self.general)

    @property
    def in_domain_moved(self) -> Direction:
        return direction(self.in_domain)

    @property
    def margin(self) -> float:
        """The drop of the general score that counts as harmless."""
        return general_margin(self.outcome.gates)

    @property
    def is_kept(self) -> bool:
        return is_kept(self.general, self.outcome.gates)

    @property
    def share(self) -> float | None:
        """The achieved share of in-domain data; None if the blend is unknown."""
        return self.outcome.trained.in_domain_share

    @property
    def general_loss_rose(self) -> bool:
        """Whether the loss on held-out general rows rose, which training on such rows should lower."""
        return any(
            after - before > GENERAL_LOSS_RISE for before, after in self.outcome.trained.losses(Role.GENERAL)
        )

    @property
    def forgot(self) -> bool:
        """Whether general knowledge was lost: the score surely fell by more than is tolerated, a gate on its
        drop, on retention or on the drop of a benchmark failed, or the loss on general rows rose and nothing
        shows that they were kept.
        """
        if self.outcome.general_fell or shown_losses(self.outcome.gates):
            return True
        tolerated = self.general_moved is Direction.DOWN
        return not tolerated and self.general_loss_rose and not self.is_kept

    @property
    def retention_failed(self) -> bool:
        """Whether a gate on retention failed."""
        return any(gate.result is GateResult.FAILED for gate in self.outcome.retention_gates)

    @property
    def lost_benchmarks(self) -> tuple[str, ...]:
        """The benchmarks whose score fell by more than their gates allow."""
        return tuple(gate.name for gate in shown_losses(self.outcome.gates) if gate.name)

    @property
    def drop_is_tolerated(self) -> bool:
        """Whether the general score surely fell, and gates allow it."""
        return self.general_moved is Direction.DOWN and not self.forgot

    @property
    def at_ceiling(self) -> bool:
        base = self.in_domain.baseline_score
        return base is not None and base >= CEILING

    @property
    def is_poor(self) -> bool:
        """Whether the domain was not learned enough: a gate on it failed, or it did not rise significantly
        and either its gain is surely small or its score surely poor.
        """
        if self.failed_domain_gate is not None:
            return True
        if self.in_domain_moved is Direction.UP:
            return False
        gain, score = self.in_domain.delta_high, self.in_domain.high
        return (gain is not None and gain < MEANINGFUL_GAIN) or (score is not None and score < POOR_SCORE)

    @property
    def failed_domain_gate(self) -> GateStatus | None:
        """The first failed gate on the in-domain score or its gain."""
        return next(
            (
                gate
                for gate in self.outcome.gates
                if gate.metric is Metric.IN_DOMAIN
                and gate.rule in ("minScore", "minGain")
                and gate.result is GateResult.FAILED
            ),
            None,
        )

    @property
    def rows_were_learnt(self) -> bool:
        """Whether the loss on held-out in-domain rows fell far: the rows were learnt, whatever is asked."""
        losses = list(self.outcome.trained.losses(Role.IN_DOMAIN))
        return bool(losses) and all(after < LEARNT_LOSS * before for before, after in losses)

    @property
    def rows_are_known_by_heart(self) -> bool:
        """Whether the loss on held-out in-domain rows is close to 0."""
        losses = list(self.outcome.trained.losses(Role.IN_DOMAIN))
        return bool(losses) and all(after < KNOWN_BY_HEART for _, after in losses)

    @property
    def may_need_more_domain(self) -> bool:
        """Whether a larger in-domain share may teach the domain: there is room, and the rows are not learnt,
        or the score rose and more of the same may raise it further.
        """
        if self.share is not None and self.share >= 1.0:
            return False
        return self.in_domain_moved is Direction.UP or not self.rows_were_learnt
