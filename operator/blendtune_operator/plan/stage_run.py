"""What one stage of a run is made of, and how the plan says that it waits or has failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from blendtune_api.contract import BlendResult, EvalResult, RehearseResult, TrainResult
from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Reason, Stage
from blendtune_operator.conditions import timestamp
from blendtune_operator.names import Object
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.phase import Stop

ResultT = TypeVar("ResultT", bound=RehearseResult | BlendResult | TrainResult | EvalResult)


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRun(Generic[ResultT]):
    """How a stage is run.

    `render` makes the child of an attempt, by the attempt's number, after whatever that child needs.
    `deadline` limits the time of all attempts together; None: no limit.
    """

    stage: Stage
    condition: ConditionType
    container: str
    result: type[ResultT]
    render: Callable[[int], tuple[Object, ...]]
    deadline: timedelta | None = None


def fail(draft: Draft[StatusT], condition: ConditionType, reason: str, message: str) -> Stop:
    """Ends the run: the stage of this condition has failed, and no further attempt follows."""
    draft.set(condition, ConditionStatus.FALSE, reason, message)
    draft.set(ConditionType.SUCCEEDED, ConditionStatus.FALSE, reason, message)
    draft.set(ConditionType.FAILED, ConditionStatus.TRUE, reason, message)
    draft.update(completion_time=timestamp(draft.now))
    return Stop(reason, message)


def wait(draft: Draft[StatusT], condition: ConditionType, reason: str, message: str) -> Stop:
    """Says in the stage's condition what the run waits for."""
    draft.set(condition, ConditionStatus.UNKNOWN, reason, message)
    return Stop(reason, message)


def wait_under_same_reason(draft: Draft[StatusT], condition: ConditionType, message: str) -> Stop:
    """Like `wait`, with the reason of the last plan: closing an attempt depends on whether it was Running."""
    return wait(draft, condition, draft.reason_before(condition) or Reason.PENDING, message)


def describe_pods(pods: Sequence[Object]) -> str:
    """The first pod and its node, by name: a pod on a lost node stays until somebody removes the node."""
    if not pods:
        return "no pod"
    first = min(pods, key=lambda pod: str(pod["metadata"]["name"]))
    node = first.get("spec", {}).get("nodeName")
    name = f"pod {first['metadata']['name']}{f' on node {node}' if node else ''}"
    return name if len(pods) == 1 else f"{len(pods)} pods ({name}, ...)"
