"""The choice between a base model and what it was tuned to: the most learned within the gates.

Whoever takes the best of several by the same questions is wrong more often than once in twenty, so all
intervals are those of `power.level_of` their number: Bonferroni's, which hold for all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence

from blendtune_api.v1alpha1 import (
    Candidate,
    CandidateScope,
    GateResult,
    GateStatus,
    InterpolationStatus,
    RetentionScore,
    ScopeScore,
)
from blendtune_core.gates import Scores

TUNED = 1.0  # the weight of the model as it was tuned
USUAL_WEIGHTS = (0.5, 0.7, 0.85)
_LONGEST = 255  # characters of Candidate.not_passed


def candidate(weight: float, scores: Scores, gates: Sequence[GateStatus]) -> Candidate:
    """One model to choose from; `gates` are judged by its scores."""
    open_ = [gate for gate in gates if gate.result is not GateResult.PASSED]
    failed = any(gate.result is GateResult.FAILED for gate in open_)
    result = GateResult.FAILED if failed else GateResult.INCONCLUSIVE if open_ else GateResult.PASSED
    return Candidate(
        weight=weight,
        in_domain=_scope(scores.in_domain),
        general=_scope(scores.general),
        rise=_rise(scores.retention),
        gates=result,
        not_passed=", ".join(f"{gate.subject} {gate.rule}" for gate in open_)[:_LONGEST],
    )


def best(candidates: Sequence[Candidate]) -> Candidate:
    """The one with the highest in-domain score that passes all gates; the tuned one, the last, if none does.

    Of equal scores it is the least weight, which keeps most of the base model.
    """
    allowed = [each for each in candidates if each.gates is GateResult.PASSED]
    return max(allowed, key=lambda each: (_objective(each), -each.weight), default=candidates[-1])


def told_choice(status: InterpolationStatus) -> str:
    """Which weight was taken and why, and what that gave up, in a sentence or two."""
    taken = next(each for each in status.candidates if each.weight == status.weight)
    tuned = status.candidates[-1]
    if taken.gates is not GateResult.PASSED:
        listed = ", ".join(f"{each.weight:g}" for each in status.candidates)
        return f"No weight of {listed} passes all gates: the model as it was tuned is taken."
    if taken is tuned:
        return "The model as it was tuned passes all gates, and none that does scores higher in-domain."
    failed = f"does not pass {tuned.not_passed}" if tuned.not_passed else "passes them, too"
    return (
        f"Weight {taken.weight:g} passes all gates and is taken; the model as it was tuned {failed}. "
        f"{_given_up(taken, tuned)}"
    ).strip()


def _given_up(taken: Candidate, tuned: Candidate) -> str:
    changes = [
        f"{name} {after.score:.2f} instead of {before.score:.2f}"
        for name, after, before in (
            ("in-domain", taken.in_domain, tuned.in_domain),
            ("general", taken.general, tuned.general),
        )
        if after is not None and before is not None
    ]
    return f"It scores {', '.join(changes)}." if changes else ""


def _objective(of: Candidate) -> float:
    return of.in_domain.score if of.in_domain is not None else -1.0


def _scope(scope: ScopeScore | None) -> CandidateScope | None:
    if scope is None or scope.score is None:
        return None
    return CandidateScope(score=scope.score, delta=scope.delta, low=scope.delta_low, high=scope.delta_high)


def _rise(retention: Sequence[RetentionScore]) -> float | None:
    return max((kept.rise for kept in retention), default=None)
