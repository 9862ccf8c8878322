"""Gates that the rubric's questions are too few for: said before anything runs, and no reason not to."""

from __future__ import annotations

from blendtune_api.codec import Fault
from blendtune_api.v1alpha1 import BlendedFineTune, ConditionStatus, ConditionType, Reason
from blendtune_core.builtin_rubrics import BUILTIN_RUBRICS
from blendtune_core.power import QuestionCounts, unresolved
from blendtune_operator.names import Run
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.draft import Draft


def too_fine(run: Run, counts: QuestionCounts | None) -> tuple[Fault, ...]:
    """The gates of the run with margins that cannot be told apart. `counts` are those of its rubric.

    Without them those of a built-in rubric are known; a rubric in a ConfigMap has to be checked first.
    """
    if isinstance(run, BlendedFineTune):
        path, evaluation = "spec.evaluation.gates", run.spec.evaluation
        rubric, gates, has_baseline = evaluation.rubric, evaluation.gates, evaluation.baseline.enabled
    else:
        path, rubric, gates = "spec.gates", run.spec.rubric, run.spec.gates
        has_baseline = run.spec.baseline.model is not None
    counts = counts or BUILTIN_RUBRICS.get(rubric.builtin or "")
    return unresolved(gates, counts, path, has_baseline=has_baseline) if counts else ()


def warn_of_margins(draft: Draft[StatusT], counts: QuestionCounts | None = None) -> None:
    """Says it in GatesPassed, which is Unknown until the gates are judged."""
    found = too_fine(draft.run, counts)
    condition = draft.condition(ConditionType.GATES_PASSED)
    if found:
        message = "; ".join(map(str, found))
        draft.set(ConditionType.GATES_PASSED, ConditionStatus.UNKNOWN, Reason.MARGIN_TOO_FINE, message)
    elif condition is not None and condition.reason == Reason.MARGIN_TOO_FINE:
        message = "the rubric can tell the margins apart"
        draft.set(ConditionType.GATES_PASSED, ConditionStatus.UNKNOWN, Reason.PENDING, message)
