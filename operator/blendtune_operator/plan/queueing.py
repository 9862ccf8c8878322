"""What a queue has to say of an attempt that it holds back."""

from __future__ import annotations

from blendtune_api.v1alpha1 import Attempt, ConditionType, Reason
from blendtune_operator import names
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.advice import advised
from blendtune_operator.plan.attempts import add_running_time
from blendtune_operator.plan.children import active_since
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.phase import Stop
from blendtune_operator.plan.stage_run import wait


def report_queued(draft: Draft[StatusT], condition: ConditionType, attempt: Attempt, child: Object) -> Stop:
    """A queue has not admitted the child yet, or has preempted it: then the time that it ran is counted."""
    add_running_time(draft, condition, attempt, draft.now)
    queue = (child["metadata"].get("labels") or {}).get(names.QUEUE_NAME, "")
    if queue:
        draft.requeue_after(draft.settings.obstacle_interval)  # the Workload is not watched
        words = _words_of_kueue(draft, child)
        message = f"attempt {attempt.number} waits in queue {queue} for room{f': {words}' if words else ''}"
        return wait(draft, condition, Reason.QUEUED, message)
    message = (
        f"attempt {attempt.number} waits: {child['kind']} {child['metadata']['name']} was suspended, and the "
        "run names no queue; whoever suspended it must resume it. Kueue does so where it manages Jobs that "
        "name none: then suspend the run, set spec.cluster.queueName, and resume it"
    )
    return wait(draft, condition, Reason.QUEUED, message)


def _words_of_kueue(draft: Draft[StatusT], child: Object) -> str:
    """Why Kueue does not admit it, as far as Kueue says; empty where it has just been asked."""
    kind, name = child["kind"], child["metadata"]["name"]
    if Kind.WORKLOAD in draft.children.unserved:
        return (
            "it waits for Kueue, and the API server knows no Workload of kueue.x-k8s.io/v1beta2: install "
            "Kueue, or suspend the run, leave spec.cluster.queueName out, and resume it"
        )
    workload = draft.children.queued_by.get(child["metadata"]["uid"])
    if workload is None:
        since = active_since(child)
        if since is None or draft.now - since < draft.settings.patience:
            return ""
        asked = f"is {kind} among the integrations of its configuration?"
        return f"Kueue has made no Workload for {kind} {name}: {asked}"
    return _state_of(workload)


def _state_of(workload: Object) -> str:
    name = workload["metadata"]["name"]
    conditions = {item["type"]: item for item in (workload.get("status") or {}).get("conditions") or []}
    if not (workload.get("spec") or {}).get("active", True):
        why = next(
            (text for type in ("DeactivationTarget", "Evicted") if (text := _told(conditions.get(type)))), ""
        )
        return (
            f"Kueue has given up and deactivated Workload {name}{f' ({why})' if why else ''}: once the cause "
            f"is mended, set spec.active of Workload {name} to true"
        )
    reserved = conditions.get("QuotaReserved")
    if reserved is None:
        return ""
    if reserved["status"] != "True":
        evicted = conditions.get("Evicted")  # true until it is admitted again
        preempted = evicted if evicted is not None and evicted["status"] == "True" else None
        words = "; ".join(dict.fromkeys(filter(None, map(_told, (preempted, reserved)))))
        return advised(words, f"`kubectl describe workload {name}` has all of it")
    checks = (workload.get("status") or {}).get("admissionChecks") or []
    pending = next((check for check in checks if check.get("state") != "Ready"), None)
    if pending is None:
        return ""
    told = ": ".join(filter(None, (pending.get("state"), pending.get("message"))))
    return f"Kueue has room, and admission check {pending['name']} is not ready ({told}): see what runs it"


def _told(condition: Object | None) -> str:
    if condition is None:
        return ""
    return ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
