"""Reads an object and its children: from the cache, or as far as it matters, as they are now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from blendtune_api import codec
from blendtune_operator.cluster import Cluster, Key
from blendtune_operator.kinds import KINDS, ParentKind
from blendtune_operator.names import Kind, Object, Parent
from blendtune_operator.obstacles import observe_obstacles
from blendtune_operator.plan import Plan
from blendtune_operator.plan.children import Children, claimed, is_terminating
from blendtune_operator.plan.earlier_version import with_children_recorded
from blendtune_operator.plan.recorded import record
from blendtune_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An object and its children as they were read: with settings and time, all that a plan depends on.

    `took_over`: the status of `parent` records children that an earlier version did not.
    """

    obj: Object
    parent: Parent | codec.InvalidObject
    children: Children
    took_over: bool = False

    @property
    def kind(self) -> ParentKind[Any, Any]:
        return KINDS[Kind(self.obj["kind"])]

    @property
    def status(self) -> Any:
        """The status that the object has, as far as this version knows its fields."""
        return codec.decode(self.kind.status, self.obj.get("status") or {}, lenient=True)

    def is_changed_by(self, plan: Plan[Any]) -> bool:
        """Whether the plan writes anything."""
        if plan.create or plan.delete or plan.suspend or plan.resume or self.took_over:
            return True
        is_same = not isinstance(self.parent, codec.InvalidObject) and plan.status == self.parent.status
        return not is_same and self.has_new_status(plan)

    def has_new_status(self, plan: Plan[Any]) -> bool:
        return bool(codec.encode(plan.status) != codec.encode(self.status))

    def with_child(self, child: Object) -> Snapshot:
        """With a child that is ours, and the status as it will record it."""
        parent: Any = self.parent
        if not isinstance(parent, codec.InvalidObject):
            parent = replace(parent, status=record(parent.status, child))
        return replace(self, parent=parent, children=self.children.with_object(child))


async def observe_cached(cluster: Cluster, key: Key, now: datetime, settings: Settings) -> Snapshot | None:
    """What the watches have shown; None when there is no such object, or it is going.

    It costs a request only while the run waits for something that is not watched.
    """
    obj = cluster.cached(key.kind, key.namespace, key.name)
    if obj is None or is_terminating(obj):
        return None
    return await _with_obstacles(cluster, await _snapshot(cluster, obj), now, settings)


async def observe(cluster: Cluster, key: Key, now: datetime, settings: Settings) -> Snapshot | None:
    """The object as it is now, and those of its children that run; None when it is gone or going.

    Of other children the cache tells enough: what they did is latched in the status, and whether one is there
    is settled by its name when it is created.
    """
    obj = await cluster.get(key.kind, key.namespace, key.name)
    if obj is None or is_terminating(obj):
        return None
    snapshot = await _snapshot(cluster, obj)
    if isinstance(snapshot.parent, codec.InvalidObject):
        return snapshot
    children = snapshot.children
    for kind, name in tuple(snapshot.kind.running_children(snapshot.parent, children)):
        if kind not in children.unserved:
            found = await cluster.get(kind, key.namespace, name)
            children = children.without(kind, name)
            if found is not None and children.recorded.has(found):
                children = children.with_object(found)
    return await _with_obstacles(cluster, replace(snapshot, children=children), now, settings)


async def observe_pods(cluster: Cluster, snapshot: Snapshot) -> Snapshot | None:
    """With the pods as they are now; None when that tells nothing new.

    To be called after `observe`: pods must tell at least as much as the Jobs that are judged by them.
    """
    if isinstance(snapshot.parent, codec.InvalidObject):
        return None
    metadata = snapshot.obj["metadata"]
    pods = await cluster.list_pods(metadata["namespace"], metadata["uid"])
    children = snapshot.children.with_pods(pods)
    if _versions(children) == _versions(snapshot.children):
        return None
    return replace(snapshot, children=children)


async def observe_progress(
    cluster: Cluster, snapshot: Snapshot, now: datetime, settings: Settings
) -> Snapshot | None:
    """With what the training pod answers when asked for its progress; None when it is not asked or silent."""
    if isinstance(snapshot.parent, codec.InvalidObject):
        return None
    pod = snapshot.kind.pod_to_ask(snapshot.parent, snapshot.children, now, settings)
    progress = None if pod is None else await cluster.progress(pod)
    if progress is None:
        return None
    return replace(snapshot, children=replace(snapshot.children, progress=progress))


async def _with_obstacles(
    cluster: Cluster, snapshot: Snapshot, now: datetime, settings: Settings
) -> Snapshot:
    if isinstance(snapshot.parent, codec.InvalidObject):
        return snapshot
    patience = settings.patience
    children = await observe_obstacles(cluster, snapshot.parent, snapshot.children, patience, now)
    return replace(snapshot, children=children)


async def _snapshot(cluster: Cluster, obj: Object) -> Snapshot:
    optional = KINDS[Kind(obj["kind"])].optional_children
    unserved = frozenset([kind for kind in optional if not await cluster.serves(kind)])
    try:
        parent = codec.decode_object(obj)
    except codec.InvalidObject as error:
        return Snapshot(obj, error, Children(unserved=unserved))
    labelled = cluster.cached_children(obj["metadata"]["uid"])
    recorded = with_children_recorded(parent, claimed(parent, labelled))
    return Snapshot(obj, recorded, Children.of(recorded, labelled, unserved), recorded != parent)


def _versions(children: Children) -> set[tuple[str, str]]:
    return {(obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]) for obj in children.objects}
