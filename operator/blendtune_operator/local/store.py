"""The objects of the embedded cluster, in memory, with what plans rely on of an API server."""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from blendtune_operator.cluster import AlreadyExists
from blendtune_operator.names import Object

StoreKey = tuple[str, str, str]


def key_of(object: Mapping[str, Any]) -> StoreKey:
    """Kind, namespace and name."""
    metadata = object["metadata"]
    return object["kind"], metadata.get("namespace", "default"), metadata["name"]


def owner_uids(object: Mapping[str, Any]) -> set[str]:
    return {reference["uid"] for reference in object["metadata"].get("ownerReferences", [])}


class ObjectStore:
    """Objects by kind, namespace and name. Every write sets `changed`; reads return copies."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._objects: dict[StoreKey, Object] = {}
        self._version = 0
        self._now = now
        self.changed = asyncio.Event()

    def __iter__(self) -> Iterator[Object]:
        objects = list(self._objects.values())  # at once: the metrics are read from other threads
        return iter([copy.deepcopy(object) for object in objects])

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        return copy.deepcopy(self._objects.get((kind, namespace, name)))

    def owned_by(self, uid: str) -> list[Object]:
        """The objects below `uid`: its children, theirs, and so on."""
        children = [object for object in self if uid in owner_uids(object)]
        return children + [object for child in children for object in self.owned_by(child["metadata"]["uid"])]

    def create(self, object: Mapping[str, Any], uid: str | None = None) -> Object:
        """Adds the object with the metadata a server would give it. Raises AlreadyExists."""
        key = key_of(object)
        if key in self._objects:
            raise AlreadyExists("{} {}/{}".format(*key))
        created = copy.deepcopy(dict(object))
        created["metadata"] |= {
            "namespace": key[1],
            "uid": uid or str(uuid.uuid4()),
            "generation": 1,
            "creationTimestamp": self.timestamp(),
        }
        self._write(created)
        return copy.deepcopy(created)

    def set_status(self, key: StoreKey, status: Mapping[str, Any]) -> None:
        """Replaces the status of an object; nothing when it is gone."""
        if key in self._objects:
            self._write(self._objects[key] | {"status": copy.deepcopy(dict(status))})

    def set_spec(self, key: StoreKey, spec: Mapping[str, Any]) -> None:
        """Replaces the spec of an object, which makes a new generation; nothing when it is gone."""
        if key in self._objects:
            object = copy.deepcopy(self._objects[key]) | {"spec": copy.deepcopy(dict(spec))}
            object["metadata"]["generation"] += 1
            self._write(object)

    def mark_deleted(self, key: StoreKey) -> None:
        """Sets the deletion timestamp: the object goes once its pods have ended."""
        if key in self._objects:
            object = copy.deepcopy(self._objects[key])
            object["metadata"].setdefault("deletionTimestamp", self.timestamp())
            self._write(object)

    def remove(self, key: StoreKey) -> None:
        """Removes the object and what it owns."""
        object = self._objects.pop(key, None)
        if object is not None:
            for child in self.owned_by(object["metadata"]["uid"]):
                self._objects.pop(key_of(child), None)
            self.changed.set()

    def timestamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _write(self, object: Object) -> None:
        self._version += 1
        object["metadata"]["resourceVersion"] = str(self._version)
        self._objects[key_of(object)] = object
        self.changed.set()
