"""What a namespace shows over time: lists that watches keep up to date, and that go on when they break."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from blendtune_operator.api import ApiError
from blendtune_operator.client.access import Access
from blendtune_operator.names import Kind, Object

_WATCH_SECONDS = 240
_SILENCE_SECONDS = _WATCH_SECONDS + 30.0  # the server ends a watch by itself before that
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 10.0
_NEVER_ALLOWED = (401, 403)
# A TLS connection left amid a request is closed in the background: see aiohttp's "Graceful Shutdown".
_GOODBYE_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Watched:
    """What to watch: a kind, those with labels alone, or the one of a name."""

    kind: Kind
    labels: str = ""
    name: str = ""

    def query(self) -> dict[str, str]:
        fields = {"fieldSelector": f"metadata.name={self.name}"} if self.name else {}
        return {**({"labelSelector": self.labels} if self.labels else {}), **fields}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All objects as they are last known; `broken` says why they may be out of date, else it is empty."""

    objects: tuple[Object, ...]
    broken: str = ""

    def of(self, kind: Kind) -> list[Object]:
        return [obj for obj in self.objects if obj["kind"] == kind]


@dataclass(slots=True)
class _Known:
    """The latest state of every watched list, and an event that is set by each change."""

    lists: dict[Watched, dict[str, Object]] = field(default_factory=dict)
    broken: dict[Watched, str] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def snapshot(self) -> Snapshot:
        objects = tuple(obj for each in self.lists.values() for obj in each.values())
        return Snapshot(objects, next(iter(self.broken.values()), ""))


async def snapshots(access: Access, watched: Sequence[Watched]) -> AsyncGenerator[Snapshot, None]:
    """The first when all have been listed, then one after each change, several of which may be one.

    Raises ApiError where the rights are missing; a watch that breaks is told, and begins anew.
    """
    known = _Known()
    tasks = [asyncio.create_task(_follow(access, each, known)) for each in watched]
    try:
        while True:
            waiting = asyncio.create_task(known.changed.wait())
            done, _ = await asyncio.wait({*tasks, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            for task in done - {waiting}:
                task.result()  # none ends but by an error
            known.changed.clear()
            if len(known.lists) == len(watched):
                yield known.snapshot()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(_GOODBYE_SECONDS)


async def _follow(access: Access, watched: Watched, known: _Known) -> None:
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            version = await _list(access, watched, known)
            pause = _FIRST_PAUSE_SECONDS
            async with aclosing(_changes(access, watched, version)) as changes:
                async for change, obj in changes:
                    _apply(known.lists[watched], change, {**obj, "kind": watched.kind.value})
                    known.changed.set()
        except ApiError as error:
            if error.status in _NEVER_ALLOWED or watched not in known.lists:
                raise
            known.broken[watched] = f"connection lost, trying again ({error})"
            known.changed.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


async def _list(access: Access, watched: Watched, known: _Known) -> str:
    """Replaces what is known of the list, and returns the version from which to watch it."""
    page = await access.api.get(watched.kind.path(access.namespace), watched.query())
    items = [{**item, "apiVersion": watched.kind.api_version, "kind": watched.kind.value}
             for item in page["items"]]  # fmt: skip
    known.lists[watched] = {item["metadata"]["uid"]: item for item in items}
    known.broken.pop(watched, None)
    known.changed.set()
    return str(page["metadata"]["resourceVersion"])


async def _changes(
    access: Access, watched: Watched, version: str
) -> AsyncGenerator[tuple[str, Object], None]:
    """(ADDED, MODIFIED or DELETED, object) until the server ends the watch; it is then listed again."""
    query = {**watched.query(), "watch": "true", "resourceVersion": version,
             "timeoutSeconds": str(_WATCH_SECONDS)}  # fmt: skip
    path = watched.kind.path(access.namespace)
    async with access.api.lines(path, query, _SILENCE_SECONDS) as lines:
        async for line in lines:
            event = json.loads(line)
            if event["type"] == "ERROR":  # mostly a version that is too old to go on from
                raise ApiError(int(event["object"].get("code") or 0), "", str(event["object"].get("message")))
            yield event["type"], event["object"]


def _apply(objects: dict[str, Object], change: str, obj: Object) -> None:
    uid = obj["metadata"]["uid"]
    if change == "DELETED":
        objects.pop(uid, None)
    else:
        objects[uid] = obj
