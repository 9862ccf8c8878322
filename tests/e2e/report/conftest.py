"""Reports of real runs and a browser to read them in. Nothing here needs the cluster."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.e2e.layout import state
from tests.e2e.report import runs
from tests.e2e.report.browser import chromium, missing

AUDIT = (Path(__file__).parent / "audit.js").read_text()


@dataclass
class Reading:
    """A report that is open in a browser, and what came up meanwhile."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def audit(self, call: str) -> list[str]:
        """The faults that a function of audit.js finds."""
        found: list[str] = self.page.evaluate(f"() => {{ {AUDIT}\n return {call}; }}")
        return found

    def open_all(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


Read = Callable[..., Reading]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if missing():
        pytest.fail(missing(), pytrace=False)
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of the reports, by what they are."""
    if state() is not None:  # in a network of its own, where the runs' processes meet
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    folder = tmp_path_factory.mktemp("reports")
    bare = runs.bare(folder)
    full = runs.full(folder, bare.parent / "model")
    made = {
        "hostile": runs.hostile(full, folder / "hostile"),
        "stopped": runs.stopped(full, folder / "stopped"),
    }
    return {"bare": bare, "full": full, **made}


@pytest.fixture
def read(browser: Browser, reports: dict[str, Path]) -> Iterator[Read]:
    """Opens a report by what it is; keyword arguments are those of a browser's context."""
    contexts = []

    def opened(name: str = "full", width: int = 1200, height: int = 800, **options: Any) -> Reading:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        reading = Reading(context.new_page())
        reading.page.on("request", lambda request: reading.requests.append(request.url))
        reading.page.on("console", lambda message: reading.complaints.append(message.text))
        reading.page.on("pageerror", lambda error: reading.complaints.append(str(error)))
        reading.page.goto((reports[name] / "report.html").as_uri())
        return reading

    yield opened
    for context in contexts:
        context.close()
