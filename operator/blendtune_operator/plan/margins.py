"""Gates whose margin the rubric cannot resolve: it asks too few questions. Said before anything runs."""

from __future__ import annotations

from blendtune_api.codec import Fault
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    BlendedFineTuneStatus,
    ConditionStatus,
    ConditionType,
    Reason,
)
from blendtune_core.builtin_rubrics import builtin_counts
from blendtune_core.power import QuestionCounts, candidates_of, unresolved
from blendtune_operator.names import Run
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.phase import Continue, PhaseResult


def too_fine(run: Run, counts: QuestionCounts | None) -> tuple[Fault, ...]:
    """The gates of the run with a margin that its rubric cannot resolve, each with its field path.

    `counts` are the questions of the rubric. None takes those of a built-in rubric; those of a rubric in a
    ConfigMap are known once the blend has checked it, and until then no gate is found.
    """
    if isinstance(run, BlendedFineTune):
        path, evaluation = "spec.evaluation.gates", run.spec.evaluation
        rubric, gates, has_baseline = evaluation.rubric, evaluation.gates, evaluation.baseline.enabled
        asked = evaluation.interpolation
    else:
        path, rubric, gates = "spec.gates", run.spec.rubric, run.spec.gates
        asked = run.spec.interpolation
        has_baseline = run.spec.baseline.model is not None
    counts = counts or builtin_counts(rubric.builtin or "", rubric.general_from or "")
    if counts is None:
        return ()
    return unresolved(gates, counts, path, has_baseline=has_baseline, candidates=candidates_of(asked))


def warn_of_margins(draft: Draft[StatusT]) -> PhaseResult:
    """Says in GatesPassed which margins are too fine. The condition is Unknown until the gates are judged."""
    found = too_fine(draft.run, _checked_counts(draft))
    condition = draft.condition(ConditionType.GATES_PASSED)
    if found:
        message = "; ".join(map(str, found))
        draft.set(ConditionType.GATES_PASSED, ConditionStatus.UNKNOWN, Reason.MARGIN_TOO_FINE, message)
    elif condition is not None and condition.reason == Reason.MARGIN_TOO_FINE:
        message = "the rubric can tell the margins apart"
        draft.set(ConditionType.GATES_PASSED, ConditionStatus.UNKNOWN, Reason.PENDING, message)
    return Continue()


def _checked_counts(draft: Draft[StatusT]) -> QuestionCounts | None:
    """The questions of the rubric as the blend has counted them; None before that, and in a RubricEval."""
    rubric = draft.status.rubric if isinstance(draft.status, BlendedFineTuneStatus) else None
    return QuestionCounts(general=rubric.general, in_domain=rubric.in_domain) if rubric else None
