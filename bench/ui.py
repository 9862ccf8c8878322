"""Time from asking for the page of `blendtune ui` to its first paint: `python bench/ui.py --runs 200`.

In Debian's Chromium, each time in a browser that has nothing cached; the median of several, and all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import statistics
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from playwright.async_api import async_playwright

from blendtune_operator.cli.ui.server import Page, serving
from blendtune_operator.cli.ui.sources import Shown
from blendtune_operator.names import Object

sys.path.insert(0, str(Path(__file__).parents[1]))

from docs.client import examples
from tests.e2e.report.browser import CHROMIUM, FLAGS

_TIMES = 7
_PAINT = """() => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    const [first] = list.getEntriesByName("first-contentful-paint");
    if (first) { resolve(first.startTime); }
  }).observe({ type: "paint", buffered: true });
})"""


def runs(count: int) -> list[Object]:
    """`count` runs, a third of them of each kind of the documentation's."""
    found = []
    for number in range(count):
        obj = copy.deepcopy(examples()[number % 3])
        obj["metadata"] |= {"name": f"{obj['metadata']['name']}-{number}", "uid": f"uid-{number}"}
        found.append(obj)
    return found


async def measure(count: int) -> list[float]:
    """Milliseconds to the first paint, each in a browser that has nothing cached."""
    losses = [(step, 2.5 / (1 + step / 100)) for step in range(1, 401)]
    objects = runs(count)
    histories = {obj["metadata"]["uid"]: losses for obj in objects}

    async def source() -> AsyncGenerator[Shown, None]:
        yield Shown(tuple(objects), histories)
        await asyncio.Event().wait()

    async def no_report(_: str, __: str) -> Path | None:
        return None

    page, times = Page("bench"), []
    async with serving(page, no_report, 0) as address, async_playwright() as playwright:
        following = asyncio.create_task(page.follow(source()))
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        for _ in range(_TIMES):
            context = await browser.new_context()
            opened = await context.new_page()
            await opened.goto(address, wait_until="commit")
            times.append(float(await opened.evaluate(_PAINT)))
            await context.close()
        await browser.close()
        following.cancel()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parsed = parser.parse_args()
    times = asyncio.run(measure(parsed.runs))
    print(json.dumps({
        "runs": parsed.runs,
        "firstPaintMilliseconds": round(statistics.median(times)),
        "all": [round(each) for each in times],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
