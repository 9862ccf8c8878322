"""The diagnosis: what scores and validation losses say about the blend, and what to try next.

The paper (arXiv 2310.04945) describes three ways to fail: general skills are kept but in-domain ones are poor
(an imbalanced blend), in-domain skills improve but general ones drop (forgetting), and results level off or
worsen from epoch to epoch (overtraining).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from blendtune_api.v1alpha1 import (
    BlendedSource,
    Diagnosis,
    DiagnosisVerdict,
    GateResult,
    GateStatus,
    Metric,
    Role,
    ScopeScore,
    SourceLoss,
)
from blendtune_core.gates import Scores
from blendtune_core.learning_curve import learning_curve
from blendtune_core.score_curve import MEANINGFUL_GAIN, ScoreCurve
from blendtune_core.verdict import Direction, direction

POOR_SCORE = 0.5  # an in-domain score counts as poor if its whole interval is lower
_STEP = 2.0  # the factor by which the next try changes the odds of in-domain to general data


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What the model was trained on, and its validation losses. Each part may be empty."""

    roles: Mapping[str, Role] = field(default_factory=dict)  # by the name of the source
    sources: tuple[BlendedSource, ...] = ()
    validation_loss: tuple[SourceLoss, ...] = ()


def diagnose(scores: Scores, gates: Sequence[GateStatus], trained: Trained) -> Diagnosis:
    """The verdict, its evidence and what to try next. The gates say what the user tolerates and expects."""
    losses = learning_curve(trained.validation_loss, trained.roles)
    curve = ScoreCurve(scores.epochs)
    fewer_epochs = curve.advice or losses.advice
    grew, is_overtrained = losses.grew or curve.fell, losses.is_overtrained or curve.is_overtrained
    general, domain = scores.general, scores.in_domain
    measured = general is not None and domain is not None and None not in (general.delta, domain.delta)
    share = _in_domain_share(trained)
    evidence = [*_changes(general, domain), *_losses(trained), losses.evidence, curve.evidence]
    if not measured or general is None or domain is None:
        verdict = DiagnosisVerdict.OVERTRAINED if is_overtrained else DiagnosisVerdict.INCONCLUSIVE
        advice = [fewer_epochs, _not_measured(scores)]
    elif _forgot(general, gates) and (direction(domain) is Direction.UP or not grew):
        verdict = DiagnosisVerdict.FORGETTING
        advice = [_try_share(share, 1 / _STEP), fewer_epochs]
    elif grew or (is_overtrained and not _is_poor(domain, gates)):
        verdict, advice = DiagnosisVerdict.OVERTRAINED, [fewer_epochs]
    elif _is_poor(domain, gates):
        verdict, advice = DiagnosisVerdict.IMBALANCED_BLEND, [_try_share(share, _STEP)]
    elif direction(domain) is Direction.UP:
        verdict = DiagnosisVerdict.BALANCED
        advice = ["The domain was learned and what was known is kept: keep this blend."]
        if direction(general) is Direction.DOWN:
            advice = ["The domain was learned, and the gate on general allows that drop: keep this blend."]
    else:
        verdict = DiagnosisVerdict.INCONCLUSIVE
        advice = [
            "The in-domain gain is not certain: ask more in-domain questions, or train for more epochs."
        ]
    return Diagnosis(verdict=verdict, message=" ".join(filter(None, (*evidence, *advice))))


def _forgot(general: ScopeScore, gates: Sequence[GateStatus]) -> bool:
    """Whether the general score fell significantly, and no gate that allows the drop passed."""
    return direction(general) is Direction.DOWN and not _tolerated(gates)


def _is_poor(domain: ScopeScore, gates: Sequence[GateStatus]) -> bool:
    """Whether the domain was not learned: a gate on it failed, or it did not rise significantly and either
    its gain is surely small or its score surely poor.
    """
    if any(
        gate.metric is Metric.IN_DOMAIN
        and gate.rule in ("minScore", "minGain")
        and gate.result is GateResult.FAILED
        for gate in gates
    ):
        return True
    if direction(domain) is Direction.UP:
        return False
    small_gain = domain.delta_high is not None and domain.delta_high < MEANINGFUL_GAIN
    return small_gain or (domain.high is not None and domain.high < POOR_SCORE)


def _tolerated(gates: Sequence[GateStatus]) -> bool:
    """Whether a gate allows the drop of the general score: one with maxDrop passed."""
    return any(
        gate.metric is Metric.GENERAL and gate.rule == "maxDrop" and gate.result is GateResult.PASSED
        for gate in gates
    )


def _not_measured(scores: Scores) -> str:
    reason = scores.not_compared or (
        "enable evaluation.baseline, and use a rubric with general and in-domain questions"
    )
    return f"Gain and loss against the base model were not measured: {reason}."


def _changes(general: ScopeScore | None, domain: ScopeScore | None) -> Iterator[str]:
    changes = [
        f"{name} {scope.delta:+.2f} [{scope.delta_low:+.2f}, {scope.delta_high:+.2f}]"
        for name, scope in (("in-domain", domain), ("general", general))
        if scope is not None and scope.delta is not None
    ]
    if changes:
        yield f"Scores against the base model: {', '.join(changes)}."


def _losses(trained: Trained) -> Iterator[str]:
    """Validation losses by source, before and after."""
    changes = [
        f"{loss.name} {loss.before:.2f} to {loss.after:.2f}"
        for loss in trained.validation_loss
        if loss.before is not None and loss.after is not None
    ]
    if changes:
        yield f"Validation loss: {', '.join(changes)}."


def _in_domain_share(trained: Trained) -> float | None:
    """The achieved share of in-domain data; None if the blend is unknown."""
    shares = {Role.IN_DOMAIN: 0.0, Role.GENERAL: 0.0}
    for source in trained.sources:
        if source.name in trained.roles:
            shares[trained.roles[source.name]] += source.achieved_share
    total = sum(shares.values())
    return shares[Role.IN_DOMAIN] / total if total else None


def _try_share(share: float | None, factor: float) -> str:
    """The advice to multiply the odds of in-domain to general data by `factor`."""
    if share is None:
        return "Give the other kind of data more weight."
    if share >= 1.0:
        return "The blend holds no general data: add a general source of equal weight."
    if share <= 0.0:
        return "The blend holds no in-domain data: add an in-domain source of equal weight."
    odds = share / (1 - share) * factor
    target = odds / (1 + odds)
    return (
        f"In-domain data made up {share:.0%} of the blend: "
        f"try {target:.0%} in-domain and {1 - target:.0%} general."
    )
