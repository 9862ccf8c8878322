"""The diagnosis: what scores and validation losses say about the blend, and what to try next.

The paper (arXiv 2310.04945) describes three ways to fail: general skills are kept but in-domain ones are poor
(an imbalanced blend), in-domain skills improve but general ones drop (forgetting), and results level off or
worsen from epoch to epoch (overtraining). What the scores cannot show is said to be not shown, never kept.

`RULES` are asked in order; the first that applies gives the verdict and the advice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from blendtune_api.v1alpha1 import Diagnosis, DiagnosisVerdict, GateStatus, ScopeScore
from blendtune_core import advice
from blendtune_core.gates import Scores
from blendtune_core.interpolation import told_choice
from blendtune_core.outcome import Compared, Outcome, Trained
from blendtune_core.verdict import COVERAGE_FLOOR, Direction

__all__ = ["Trained", "diagnose"]

Finding = tuple[DiagnosisVerdict, Sequence[str]]  # the verdict, and what to try
Rule = Callable[[Compared], Finding | None]


def diagnose(scores: Scores, gates: Sequence[GateStatus], trained: Trained) -> Diagnosis:
    """The verdict, its evidence and what to try next. The gates say what the user tolerates and expects."""
    outcome = Outcome.of(scores, gates, trained)
    compared = outcome.compared
    verdict, tries = _uncompared(outcome) if compared is None else _first(compared)
    return Diagnosis(verdict=verdict, message=" ".join(filter(None, (*_evidence(outcome), *tries))))


def _first(compared: Compared) -> Finding:
    return next(finding for rule in RULES if (finding := rule(compared)) is not None)


def _uncompared(outcome: Outcome) -> Finding:
    """Without differences in both domains, only the losses and the domain that was measured can speak."""
    missing = advice.not_measured(outcome)
    if outcome.in_domain_fell:
        tries = (advice.train_more_gently(False), outcome.fewer_epochs, missing)
        return DiagnosisVerdict.HARMED, tries
    if outcome.general_fell:
        return DiagnosisVerdict.FORGETTING, (advice.keep_more_general(), outcome.fewer_epochs, missing)
    if outcome.is_overtrained:
        return DiagnosisVerdict.OVERTRAINED, (outcome.fewer_epochs, missing)
    return DiagnosisVerdict.INCONCLUSIVE, (missing,)


def _too_little_scored(case: Compared) -> Finding | None:
    coverage = case.outcome.scores.coverage
    if coverage is None or coverage >= COVERAGE_FLOOR:
        return None
    return DiagnosisVerdict.INCONCLUSIVE, (advice.score_more(coverage),)


def _harmed(case: Compared) -> Finding | None:
    """The domain itself got worse. If the loss grew as well, that is overtraining."""
    if case.in_domain_moved is not Direction.DOWN:
        return None
    both = case.general_moved is Direction.DOWN
    return DiagnosisVerdict.HARMED, (advice.train_more_gently(both), case.outcome.fewer_epochs)


def _forgotten(case: Compared) -> Finding | None:
    if not case.forgot:
        return None
    overtrained = case.outcome.grew and case.in_domain_moved is not Direction.UP
    if overtrained and not case.general_loss_rose:
        return DiagnosisVerdict.OVERTRAINED, (case.outcome.fewer_epochs,)
    tries = (advice.keep_more(case), case.outcome.fewer_epochs, advice.go_back(case))
    return DiagnosisVerdict.FORGETTING, tries


def _overtrained(case: Compared) -> Finding | None:
    """The loss or a score got worse with the last epochs."""
    if not case.outcome.grew:
        return None
    return DiagnosisVerdict.OVERTRAINED, (case.outcome.fewer_epochs, advice.still_good(case))


def _nothing_to_gain(case: Compared) -> Finding | None:
    """The base model already answers the in-domain questions."""
    if not case.at_ceiling or case.in_domain_moved is Direction.UP:
        return None
    return DiagnosisVerdict.INCONCLUSIVE, (advice.ask_harder(case),)


def _not_learned(case: Compared) -> Finding | None:
    if not case.is_poor:
        return None
    if case.may_need_more_domain:
        return DiagnosisVerdict.IMBALANCED_BLEND, (advice.learn_more(case),)
    return DiagnosisVerdict.NOT_LEARNED, (advice.teach_what_is_asked(case), case.outcome.fewer_epochs)


def _unsure_of_gain(case: Compared) -> Finding | None:
    if case.in_domain_moved is Direction.UP:
        return None
    return DiagnosisVerdict.INCONCLUSIVE, (advice.gain_not_shown(case), advice.loss_not_excluded(case))


def _unsure_of_loss(case: Compared) -> Finding | None:
    """Learned; but a drop larger than the margin is not excluded."""
    if case.is_kept:
        return None
    return DiagnosisVerdict.INCONCLUSIVE, ("The domain was learned.", advice.loss_not_excluded(case))


def _balanced(case: Compared) -> Finding:
    tries = (advice.keep_this_blend(case), case.outcome.cheaper_epochs)
    return DiagnosisVerdict.BALANCED, tries


RULES: Sequence[Rule] = (
    _too_little_scored,
    _harmed,
    _forgotten,
    _overtrained,
    _nothing_to_gain,
    _not_learned,
    _unsure_of_gain,
    _unsure_of_loss,
    _balanced,
)


def _evidence(outcome: Outcome) -> Iterator[str]:
    scopes = (("in-domain", outcome.scores.in_domain), ("general", outcome.scores.general))
    changes = [change for name, scope in scopes if (change := _change(name, scope))]
    if changes:
        yield f"Scores against the base model: {', '.join(changes)}."
    losses = [
        f"{loss.name} {loss.before:.2f} to {loss.after:.2f}"
        for loss in outcome.trained.validation_loss
        if loss.before is not None and loss.after is not None
    ]
    if losses:
        yield f"Validation loss: {', '.join(losses)}."
    if outcome.scores.interpolation is not None:
        yield told_choice(outcome.scores.interpolation)
    yield from outcome.curve_evidence
    gated = {gate.name for gate in outcome.gates if gate.name}
    benchmarks = [
        f"{score.name} {score.delta:+.3f} [{score.delta_low:+.3f}, {score.delta_high:+.3f}]"
        for score in outcome.scores.benchmarks
        if score.name in gated and None not in (score.delta, score.delta_low, score.delta_high)
    ]
    if benchmarks:
        yield f"Benchmarks against the base model: {', '.join(benchmarks)}."
    if not outcome.retention_gates:
        return
    kept = [
        f"{score.text} {score.rise:+.3f} [{score.rise_low:+.3f}, {score.rise_high:+.3f}]"
        for score in outcome.scores.retention
    ]
    if kept:
        yield f"Loss on general text against the base model, nats per token: {', '.join(kept)}."


def _change(name: str, scope: ScopeScore | None) -> str:
    if scope is None or scope.delta is None:
        return ""
    return f"{name} {scope.delta:+.2f} [{scope.delta_low:+.2f}, {scope.delta_high:+.2f}]"
