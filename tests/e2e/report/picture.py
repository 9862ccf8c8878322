"""Draws parts of reports for the documentation: `python -m tests.e2e.report.picture`.

The first screen is that of the demo. What changed, and the measures with what gates could not see, are
parts of the report of a run of the tests, which is made where it is missing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page
from tests.e2e.report import runs
from tests.e2e.report.browser import chromium, missing

from blendtune_eval.report.files import rebuild
from blendtune_runtime.errors import StageError

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
DEMO = ROOT / "runs/demo-blend/claims/demo/default/adwright-demo"
SAMPLE = ROOT / "runs/report-sample"
WIDTH, MARGIN = 1200, 28


def main() -> int:
    if missing():
        print(missing(), file=sys.stderr)
        return 2
    with chromium() as browser:
        sample = _opened(browser, rebuild(_sample()))
        _draw(sample, DOCS / "report-changes.png", "#questions", "#lost-questions")
        _draw(sample, DOCS / "report-measures.png", "#measures", "#resolution")
        try:
            demo = _opened(browser, rebuild(DEMO))
        except StageError as error:
            print(f"{error} (`make demo` makes the demo's)", file=sys.stderr)
            return 2
        _draw(demo, DOCS / "report.png", "body", ".gates")
    return 0


def _sample() -> Path:
    """The report of the run of the tests that shows everything; runs that have finished are not repeated."""
    SAMPLE.mkdir(parents=True, exist_ok=True)
    return runs.full(SAMPLE, runs.bare(SAMPLE).parent / "model")


def _opened(browser: Browser, report: Path) -> Page:
    page = browser.new_page(viewport={"width": WIDTH, "height": 800})
    page.goto(report.as_uri())
    return page


def _draw(page: Page, picture: Path, first: str, last: str) -> None:
    """The page from the top of one element to the end of another."""
    top = page.locator(first).first.evaluate("each => each.getBoundingClientRect().top + scrollY")
    bottom = page.locator(last).first.evaluate("each => each.getBoundingClientRect().bottom + scrollY")
    start = max(0, top - MARGIN)
    clip = {"x": 0, "y": start, "width": WIDTH, "height": bottom + MARGIN - start}
    page.screenshot(path=picture, clip=clip, full_page=True)


if __name__ == "__main__":
    sys.exit(main())
