"""Draws the first screen of the demo's report for the documentation: `python -m tests.e2e.report.picture`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.report.browser import chromium, missing

from blendtune_eval.report.files import rebuild
from blendtune_runtime.errors import StageError

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "runs/demo-blend/claims/demo/default/adwright-demo"
PICTURE = ROOT / "docs/report.png"
WIDTH, MARGIN = 1200, 28


def main() -> int:
    if missing():
        print(missing(), file=sys.stderr)
        return 2
    try:
        draw(rebuild(DEMO), PICTURE)
    except StageError as error:
        print(f"{error} (`make demo` makes the demo's)", file=sys.stderr)
        return 2
    return 0


def draw(report: Path, picture: Path) -> None:
    """The report down to the end of its gates."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": 800})
        page.goto(report.as_uri())
        bottom = page.locator(".gates").evaluate("each => each.getBoundingClientRect().bottom")
        page.screenshot(path=picture, clip={"x": 0, "y": 0, "width": WIDTH, "height": bottom + MARGIN})


if __name__ == "__main__":
    sys.exit(main())
