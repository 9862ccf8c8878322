"""The work queue: a key is queued once, worked on by one worker at a time, and delayed after failures."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_SECONDS = 0.25
LONGEST_RETRY_SECONDS = 60.0


class WorkQueue(Generic[K]):
    """Keys to work on. A key that is added while it is worked on is queued again afterwards."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._queued: set[K] = set()
        self._active: set[K] = set()
        self._dirty: set[K] = set()
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}

    def __len__(self) -> int:
        """Keys that are ready to be worked on; not those that wait for a delay."""
        return self._ready.qsize()

    @property
    def active(self) -> int:
        return len(self._active)

    def add(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._active:
            self._dirty.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)

    def add_within(self, key: K, seconds: float) -> None:
        """Adds the key after a random delay of up to `seconds`, unless it is due earlier anyway."""
        delay = random.uniform(0.0, seconds)
        timer = self._timers.get(key)
        if key in self._active:
            self._dirty.add(key)
        elif key not in self._queued and (
            timer is None or timer.when() > asyncio.get_running_loop().time() + delay
        ):
            self._add_later(key, delay)

    async def get(self) -> K:
        """The next key; it must be given to `done` or `failed` afterwards."""
        key = await self._ready.get()
        self._queued.discard(key)
        self._active.add(key)
        return key

    def done(self, key: K, after: float | None) -> None:
        """The work on the key succeeded; it is queued again after so many seconds, if any."""
        self._failures.pop(key, None)
        self._active.discard(key)
        if key in self._dirty:
            self._dirty.discard(key)
            self.add(key)
        elif after is not None:
            self._add_later(key, after)

    def failed(self, key: K, at_least: float = 0.0) -> float:
        """The work on the key failed: it is queued again after the returned back-off with jitter, in s."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._active.discard(key)
        self._dirty.discard(key)
        delay = min(FIRST_RETRY_SECONDS * 2.0 ** min(failures, 30), LONGEST_RETRY_SECONDS)
        delay = max(delay * random.uniform(0.5, 1.0), at_least)
        self._add_later(key, delay)
        return delay

    def _add_later(self, key: K, delay: float) -> None:
        if delay <= 0:
            self.add(key)
            return
        previous = self._timers.pop(key, None)
        if previous is not None:
            previous.cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(delay, self.add, key)
