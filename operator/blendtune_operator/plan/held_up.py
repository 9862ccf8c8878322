"""What keeps the pods of an attempt from doing their work, named with what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from blendtune_api.v1alpha1 import Attempt, Reason
from blendtune_operator.conditions import moment
from blendtune_operator.gang import BACKENDS
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import pods as pod_reading
from blendtune_operator.plan.advice import advised
from blendtune_operator.plan.children import Children, active_since, is_scheduled, runs_work
from blendtune_operator.plan.pods import Obstacle
from blendtune_operator.plan.reported import last_of_pod, last_warning


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """An attempt of `wanted` pods, active since `since`; `made` are there, `live` have not ended."""

    attempt: Attempt
    child: Object
    live: Sequence[Object]
    made: int
    wanted: int
    since: datetime


def waiting_since(attempt: Attempt, child: Object) -> datetime:
    """When an attempt could first have pods."""
    return active_since(child) or moment(attempt.start_time)


def held_up(children: Children, waiting: Waiting, patience: timedelta, now: datetime) -> Obstacle | None:
    """What keeps the attempt though its pods' own status does not tell; None for nothing that is known.

    A start may take as long as `patience`.
    """
    if children.missing:
        return Obstacle(Reason.STARTING, children.missing)
    if now - waiting.since < patience:
        return None
    return _missing_pods(children, waiting) or _idle_pods(children, waiting.live)


def _missing_pods(children: Children, waiting: Waiting) -> Obstacle | None:
    """Pods that nobody has made: the Events of what should make them tell why."""
    if waiting.made >= waiting.wanted:
        return None
    kind, name = waiting.child["kind"], waiting.child["metadata"]["name"]
    made = f"{waiting.made} of {waiting.wanted} pods were" if waiting.made else "no pod was"
    told = last_warning(children.events_of_attempt(waiting.attempt))
    if told:
        words = advised(told, "once that is mended, it is tried again by itself")
        return Obstacle(Reason.CHILD_REFUSED, f"{made} made for {kind} {name}: {words}")
    if not waiting.made and not waiting.child.get("status"):
        advice = f"see that {_maker(kind)} is installed, runs, and serves this namespace"
        return Obstacle(Reason.CHILD_IGNORED, f"nothing acts on {kind} {name}: {advice}")
    message = (
        f"{made} made for {kind} {name}: `kubectl describe {kind.lower()} {name}` says why; a quota, an "
        "admission policy or a podTemplate that is refused"
    )
    return Obstacle(Reason.CHILD_REFUSED, message)


def _maker(kind: str) -> str:
    backends = {backend.kind: backend for backend in BACKENDS.values()}
    return "the Job controller of Kubernetes" if kind == Kind.JOB else backends[Kind(kind)].installed_by


def _idle_pods(children: Children, live: Sequence[Object]) -> Obstacle | None:
    """Pods whose containers have not begun: the first for which a reason is known, else the first."""
    idle = [pod for pod in live if not runs_work(pod)]
    if not idle:
        return None
    more = f" ({len(idle)} pods wait)" if len(idle) > 1 else ""
    for pod in idle:
        told = _why_idle(children, pod)
        if told:
            return Obstacle(Reason.STARTING, f"{told}{more}")
    name = idle[0]["metadata"]["name"]
    message = (
        f"pod {name} runs no container yet, and nothing says why: `kubectl describe pod {name}` may{more}"
    )
    return Obstacle(Reason.STARTING, message)


def _why_idle(children: Children, pod: Object) -> str:
    name = pod["metadata"]["name"]
    node = (pod.get("spec") or {}).get("nodeName")
    place = f"pod {name}{f' on node {node}' if node else ''}"
    running = pod_reading.running_init_container(pod)
    if running:
        return (
            f"init container {running} of {place} still runs, and its other containers wait for it: "
            f"`kubectl logs {name} -c {running}` says what it does"
        )
    told = last_of_pod(children.events_of_pod(pod))
    if told:
        return (
            f"{place} has no container yet: {advised(told, f'`kubectl describe pod {name}` has all of it')}"
        )
    if not node and not is_scheduled(pod):
        return (
            f"pod {name} has no node, and no scheduler says why: see that the scheduler of the cluster, or "
            "the one that podTemplate names, runs"
        )
    return ""
