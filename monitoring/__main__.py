"""Writes the dashboards: `python -m monitoring [FOLDER]`, by default into the chart."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from monitoring.quality import quality
from monitoring.runs import runs

DASHBOARDS = Path(__file__).parents[1] / "helm/blendtune/dashboards"


def dashboard_files() -> dict[str, str]:
    """Text of each dashboard by the name of its file."""
    dashboards = {"runs.json": runs(), "quality.json": quality()}
    return {name: json.dumps(dashboard, indent=2) + "\n" for name, dashboard in dashboards.items()}


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0]) if arguments else DASHBOARDS
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in dashboard_files().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
