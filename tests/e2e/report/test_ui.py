"""The page of `blendtune ui` in Chromium: wide, on a phone, in the dark, by keyboard, with 200 runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bench.ui import runs
from playwright.sync_api import Browser, Page, expect

from blendtune_operator.cli.ui.server import Page as Served
from blendtune_operator.cli.ui.server import serving
from blendtune_operator.cli.ui.sources import Shown
from blendtune_operator.names import Object

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

LOSSES = [(step, 2.5 / step) for step in range(1, 60)]
SIZES = {"wide": (1280, 800), "phone": (375, 700)}


@dataclass
class Shop:
    """A page that is served by a thread; `show` changes the runs on it."""

    address: str = ""
    loop: asyncio.AbstractEventLoop | None = None
    pending: asyncio.Queue[list[Object]] = field(default_factory=asyncio.Queue)

    def show(self, objects: list[Object]) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.pending.put_nowait, objects)

    async def source(self) -> AsyncGenerator[Shown, None]:
        while True:
            objects = await self.pending.get()
            yield Shown(tuple(objects), {obj["metadata"]["uid"]: LOSSES for obj in objects})

    async def serve(self, ready: threading.Event) -> None:
        self.loop = asyncio.get_running_loop()
        page = Served("namespace team")
        async with serving(page, _no_report, 0) as self.address:
            ready.set()
            await page.follow(self.source())


async def _no_report(_: str, __: str) -> Path | None:
    return None


@pytest.fixture
def shop() -> Iterator[Shop]:
    made, ready = Shop(), threading.Event()

    def run() -> None:
        with asyncio.Runner() as runner:
            try:
                runner.run(made.serve(ready))
            except asyncio.CancelledError:
                return

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(60)
    yield made
    assert made.loop is not None
    made.loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(made.loop)])
    thread.join(60)


@pytest.fixture
def opened(browser: Browser, shop: Shop, request: pytest.FixtureRequest) -> Iterator[Page]:
    width, height = SIZES[getattr(request, "param", "wide")]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(shop.address)
    yield page
    context.close()
    assert complaints == []


@pytest.mark.parametrize("opened", SIZES, indirect=True)
def test_200_runs_fit_beside_each_other(opened: Page, shop: Shop) -> None:
    shop.show(runs(200))
    expect(opened.locator("details")).to_have_count(200, timeout=60_000)
    overflow = opened.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow == 0
    expect(opened.locator("details[open] figure svg").first).to_be_visible()


def test_it_changes_with_the_runs_and_keeps_what_was_opened(opened: Page, shop: Shop) -> None:
    objects = runs(6)
    shop.show(objects)
    closed = opened.locator(f"#blendedfinetune-{objects[2]['metadata']['name']}")
    expect(closed).not_to_have_attribute("open", "")
    closed.locator("summary").click()
    objects[0]["status"]["trainerStatus"]["progressPercentage"] = 99
    shop.show(objects)
    expect(opened.locator(f"#blendedfinetune-{objects[0]['metadata']['name']}")).to_contain_text("99%")
    expect(closed).to_have_attribute("open", "")


def test_the_keyboard_is_enough(opened: Page, shop: Shop) -> None:
    objects = runs(3)
    shop.show(objects)
    expect(opened.locator("details")).to_have_count(3)
    opened.keyboard.press("Tab")
    first = opened.evaluate("document.activeElement.id")
    assert first == f"blendedfinetune-{objects[0]['metadata']['name']}-summary"
    opened.keyboard.press("Enter")
    shop.show(objects[:2])
    expect(opened.locator("details")).to_have_count(2)
    assert opened.evaluate("document.activeElement.id") == first
    expect(opened.locator("details").first).not_to_have_attribute("open", "")


def test_the_dark_has_its_own_colours(browser: Browser, shop: Shop) -> None:
    papers = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(shop.address)
        papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert papers[0] != papers[1]
