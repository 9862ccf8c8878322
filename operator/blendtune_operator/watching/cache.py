"""What the watches have shown, in memory: runs and their children, as far as plans and metrics read them.

It may lag behind the API server. It triggers reconciles and saves them requests; nothing is written because
of it alone. Pods that ended and were removed are known from nowhere else: how they ended may be all
that tells why an attempt failed.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from blendtune_api import codec
from blendtune_api.codec import Resource
from blendtune_operator.cluster import Key
from blendtune_operator.names import ATTEMPT_KINDS, OWNER_UID, PARENT_KINDS, Kind, Object
from blendtune_operator.plan.children import is_live

_T = TypeVar("_T")
_Id = tuple[str, str, str]
_REMOVED_KEPT = 1000


@dataclass(slots=True)
class Cache:
    """Objects by kind, namespace and name, indexed by the UID of the run or study that they serve."""

    _objects: dict[_Id, Object] = field(default_factory=dict)
    _children: dict[str, set[_Id]] = field(default_factory=lambda: defaultdict(set))
    _runs: dict[str, Key] = field(default_factory=dict)
    _decoded: dict[str, tuple[str, Resource]] = field(default_factory=dict)
    _removed: dict[str, int] = field(default_factory=dict)  # by UID: the version of the last state
    _ended_pods: dict[str, Object] = field(default_factory=dict)  # by UID: removed pods in their last state

    def apply(self, obj: Object) -> bool:
        """Stores an object unless this version or a newer one is known. True if it did."""
        known = self._objects.get(_id(obj))
        if _version(obj) <= self._removed.get(obj["metadata"]["uid"], -1):
            return False
        if known is not None and known["metadata"]["uid"] == obj["metadata"]["uid"]:
            if _version(known) >= _version(obj):
                return False
        elif known is not None:
            self.remove(known)
        self._objects[_id(obj)] = slim(obj)
        owner = owner_uid(obj)
        if owner:
            self._children[owner].add(_id(obj))
        if obj["kind"] in PARENT_KINDS:
            self._runs[obj["metadata"]["uid"]] = key_of(obj)
        return True

    def remove(self, obj: Object) -> None:
        """Forgets this very object, except for how a pod ended: `obj` is its last state."""
        known = self._objects.get(_id(obj))
        uid = obj["metadata"]["uid"]
        _remember(self._removed, uid, _version(obj))
        if obj["kind"] == Kind.POD and not is_live(obj):
            _remember(self._ended_pods, uid, slim(obj))
        if known is None or known["metadata"]["uid"] != uid:
            return
        del self._objects[_id(obj)]
        self._runs.pop(uid, None)
        self._decoded.pop(uid, None)
        owner = owner_uid(known)
        if owner:
            self._children[owner].discard(_id(obj))
            if not self._children[owner]:
                del self._children[owner]

    def replace(self, kind: Kind, listed: Iterable[Object], version: int, namespace: str | None) -> None:
        """Replaces one kind by a list: an object that the list lacks is removed, unless it is newer."""
        names = set()
        for obj in listed:
            names.add(_id(obj))
            self.apply(obj)
        for known in list(self._objects.values()):
            place = known["metadata"]["namespace"]
            if known["kind"] != kind or _id(known) in names or namespace not in (None, place):
                continue
            if _version(known) <= version:
                self.remove(known)

    def missed(self, obj: Object) -> bool:
        """Whether the watch has brought neither this version of the object nor a newer one."""
        known = self._objects.get(_id(obj))
        return known is None or (
            known["metadata"]["uid"] == obj["metadata"]["uid"] and _version(known) < _version(obj)
        )

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return self._objects.get((kind.value, namespace, name))

    def children(self, owner: str) -> list[Object]:
        """The children of the run or study of this UID, and the removed pods of which the end is known."""
        ended = [pod for pod in self._ended_pods.values() if owner_uid(pod) == owner]
        return [*(self._objects[id_] for id_ in sorted(self._children.get(owner, ()))), *ended]

    def run_keys(self) -> tuple[Key, ...]:
        """All objects of PARENT_KINDS."""
        return tuple(self._runs.values())

    def keys_for(self, obj: Object) -> Iterator[Key]:
        """The runs to reconcile when this object changes: itself, and the run that it is a child of."""
        if obj["kind"] in PARENT_KINDS:
            yield key_of(obj)
        owner = self._runs.get(owner_uid(obj) or "")
        if owner is not None:
            yield owner

    def runs(self) -> list[Resource]:
        """The runs that can be decoded; each version is decoded once."""
        return [run for key in self.run_keys() if (run := self._run(key)) is not None]

    def _run(self, key: Key) -> Resource | None:
        obj = self._objects[key.kind.value, key.namespace, key.name]
        uid, version = obj["metadata"]["uid"], obj["metadata"]["resourceVersion"]
        known = self._decoded.get(uid)
        if known is not None and known[0] == version:
            return known[1]
        try:
            run = codec.decode_object(obj)
        except codec.InvalidObject:
            return None
        self._decoded[uid] = version, run
        return run


def key_of(obj: Object) -> Key:
    return Key(Kind(obj["kind"]), obj["metadata"]["namespace"], obj["metadata"]["name"])


def owner_uid(obj: Object) -> str | None:
    """The UID of the run that a child or its pod belongs to."""
    uid: str | None = (obj["metadata"].get("labels") or {}).get(OWNER_UID)
    return uid


def slim(obj: Object) -> Object:
    """The object without the fields that no plan reads: a thousand pod templates would fill the memory."""
    return {sys.intern(key): _with_shared_keys(value) for key, value in _without_unread(obj).items()}


def _without_unread(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    spec = obj.get("spec")
    if obj["kind"] == Kind.POD:
        containers = (spec or {}).get("containers") or []
        ports = [{"name": item["name"], "ports": item.get("ports") or []} for item in containers]
        return {
            **obj,
            "metadata": metadata,
            "spec": {"nodeName": (spec or {}).get("nodeName"), "containers": ports},
        }
    if obj["kind"] in ATTEMPT_KINDS:
        kept = {key: value for key, value in (spec or {}).items() if key in ("suspend", "runPolicy")}
        return {**obj, "metadata": metadata, "spec": kept}
    return {**obj, "metadata": metadata}


def _with_shared_keys(value: Any) -> Any:
    """Each watch event is decoded by itself, with strings of its own for keys that all objects have."""
    if isinstance(value, dict):
        return {sys.intern(key): _with_shared_keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_shared_keys(item) for item in value]
    return value


def _remember(recent: dict[str, _T], uid: str, value: _T) -> None:
    """Keeps the last _REMOVED_KEPT values."""
    recent[uid] = value
    if len(recent) > _REMOVED_KEPT:
        del recent[next(iter(recent))]


def _id(obj: Object) -> _Id:
    metadata = obj["metadata"]
    return obj["kind"], metadata["namespace"], metadata["name"]


def _version(obj: Object) -> int:
    """Resource versions of one resource are comparable integers (KEP-5504)."""
    return int(obj["metadata"]["resourceVersion"])
