"""Draws the page of `blendtune ui` for the documentation: `python -m tests.e2e.report.ui_picture`.

Its runs are those of docs/client.md, and the curve is that of `make demo` up to the same step.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from docs.client import examples
from tests.e2e.report.browser import chromium, missing

from blendtune_documents.pages import render
from blendtune_operator.cli.ui.overview import as_values, overview

PICTURE = Path(__file__).parents[3] / "docs/ui.png"
_LOG = Path(__file__).parents[3] / "runs/demo-blend/claims/demo/default/adwright-demo/train/steps.jsonl"
_STEPS = 26


def page() -> str:
    """The page as it is served, with all that it shows in it."""
    objects = examples()
    for number, obj in enumerate(objects):
        obj["metadata"]["uid"] = f"uid-{number}"
    steps = [json.loads(line) for line in _LOG.read_text().splitlines()[:_STEPS]]
    curve = [(step["step"], step["loss"]) for step in steps]
    values = as_values(overview(objects, {"uid-0": curve}), "namespace team", "")
    return render("ui", values | {"version": 0}, package="blendtune_operator.cli.ui")


def main() -> int:
    if missing():
        print(missing(), file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        file = Path(folder) / "ui.html"
        file.write_text(page(), encoding="utf-8")
        opened = browser.new_page(viewport={"width": 1080, "height": 700})
        opened.goto(file.as_uri())
        opened.locator("details").last.locator("summary").click()
        opened.screenshot(path=PICTURE, full_page=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
