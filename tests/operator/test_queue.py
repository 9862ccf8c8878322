"""The work queue: a key is never lost, never doubled, never worked on twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from blendtune_operator.watching.queue import LONGEST_RETRY_SECONDS, WorkQueue


def run(scenario: Callable[[WorkQueue[str]], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            await scenario(WorkQueue())

    asyncio.run(main())


def test_a_key_added_twice_comes_up_once() -> None:
    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.add("a")
        assert len(queue) == 1
        assert await queue.get() == "a"
        assert len(queue) == 0

    run(scenario)


def test_a_key_added_while_it_is_worked_on_waits_for_the_end_and_comes_up_again() -> None:
    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add("a")
        await queue.get()
        queue.add("a")
        assert len(queue) == 0
        queue.done("a", None)
        assert await queue.get() == "a"
        queue.done("a", None)
        assert len(queue) == 0

    run(scenario)


def test_a_delayed_key_comes_up_by_itself_and_earlier_when_something_happens() -> None:
    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add("a")
        queue.done(await queue.get(), 0.01)
        assert await queue.get() == "a"
        queue.done("a", 3600)
        queue.add("a")
        assert await queue.get() == "a"
        queue.done("a", None)
        assert len(queue) == 0

    run(scenario)


@pytest.mark.parametrize("times", [1, 5, 100])
def test_a_failing_key_is_slowed_down_but_never_given_up(times: int) -> None:
    async def scenario(queue: WorkQueue[str]) -> None:
        delay = 0.0
        for _ in range(times):
            queue.add("a")
            delay = queue.failed(await queue.get())
        least = min(0.25 * 2.0 ** (times - 1), LONGEST_RETRY_SECONDS) / 2
        assert least <= delay <= LONGEST_RETRY_SECONDS

    run(scenario)


def test_success_ends_the_slowness_and_the_server_may_ask_for_more_time() -> None:
    async def scenario(queue: WorkQueue[str]) -> None:
        for _ in range(10):
            queue.add("a")
            queue.failed(await queue.get())
        queue.add("a")
        queue.done(await queue.get(), None)
        queue.add("a")
        assert queue.failed(await queue.get()) <= 0.25
        queue.add("a")
        assert queue.failed(await queue.get(), at_least=7.0) == 7.0

    run(scenario)


def test_an_event_during_a_failing_reconcile_does_not_shorten_the_back_off() -> None:
    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add("a")
        key = await queue.get()
        queue.add("a")
        queue.failed(key)
        assert len(queue) == 0

    run(scenario)


def test_an_event_during_a_failing_reconcile_is_not_worked_on_twice() -> None:
    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add("a")
        key = await queue.get()
        queue.add("a")
        queue.failed(key)
        queue.add("a")
        queue.done(await queue.get(), None)
        assert len(queue) == 0

    run(scenario)


def test_a_key_that_is_added_within_a_time_comes_up_once_and_puts_nothing_off() -> None:
    async def scenario(queue: WorkQueue[str]) -> None:
        queue.add("soon")
        queue.done(await queue.get(), 0.01)
        for key in ("soon", "later"):
            queue.add_within(key, 0.2)
        assert len(queue) == 0
        assert {await queue.get(), await queue.get()} == {"soon", "later"}
        queue.add_within("soon", 1000.0)  # it is worked on: once more afterwards
        queue.done("soon", None)
        assert len(queue) == 1

    run(scenario)
