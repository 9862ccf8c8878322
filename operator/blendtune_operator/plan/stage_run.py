"""How a stage is run, and what the plan says of it while it is not at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from blendtune_api.contract import Outcome
from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Reason, Stage
from blendtune_operator.conditions import timestamp
from blendtune_operator.names import Object
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.draft import Draft


@dataclass(frozen=True, kw_only=True, slots=True)
class StageRun:
    """How a stage is run. `render` makes the child of an attempt, and whatever that child needs beside it."""

    stage: Stage
    condition: ConditionType
    container: str
    result: type[Outcome]
    render: Callable[[int], tuple[Object, ...]]
    backoff_limit: int
    deadline: timedelta | None = None


def fail(draft: Draft[StatusT], condition: ConditionType, reason: str, message: str) -> None:
    """Ends the run: the stage failed for good."""
    draft.set(condition, ConditionStatus.FALSE, reason, message)
    draft.set(ConditionType.SUCCEEDED, ConditionStatus.FALSE, reason, message)
    draft.set(ConditionType.FAILED, ConditionStatus.TRUE, reason, message)
    draft.update(completion_time=timestamp(draft.now))


def wait(draft: Draft[StatusT], stage: StageRun, reason: str, message: str) -> None:
    draft.set(stage.condition, ConditionStatus.UNKNOWN, reason, message)


def hold(draft: Draft[StatusT], stage: StageRun, message: str) -> None:
    """Waits under the present reason: whether the attempt was running still matters when it is closed."""
    before = draft.reason_before(stage.condition) or Reason.PENDING
    wait(draft, stage, before, message)


def named(pods: Sequence[Object]) -> str:
    """The first pod and its node, by name: a pod on a lost node stays until somebody removes the node."""
    if not pods:
        return "no pod"
    first = min(pods, key=lambda pod: str(pod["metadata"]["name"]))
    node = first.get("spec", {}).get("nodeName")
    name = f"pod {first['metadata']['name']}{f' on node {node}' if node else ''}"
    return name if len(pods) == 1 else f"{len(pods)} pods ({name}, ...)"
