"""Logs in JSON lines, one per step, which a resumed training truncates to its checkpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blendtune_runtime.files import write_text


class StepLog:
    """A log whose lines are ordered by `step`. An incomplete last line, left by a kill, is ignored."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[dict[str, Any]]:
        """All lines; none if there is no file."""
        return list(self._complete_lines())

    def truncate_after(self, step: int) -> None:
        """Removes the lines of later steps."""
        if self._path.exists():
            lines = [line for line in self._complete_lines() if line["step"] <= step]
            write_text(self._path, "".join(_format(line) for line in lines))

    def append(self, **values: Any) -> None:
        """Adds a line; `step` is one of the values."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(_format(values))

    def flush(self) -> None:
        """Syncs all lines to disk."""
        if self._path.exists():
            with self._path.open("rb") as file:
                os.fsync(file.fileno())

    def _complete_lines(self) -> Iterator[dict[str, Any]]:
        if not self._path.exists():
            return
        for line in self._path.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def _format(values: dict[str, Any]) -> str:
    return json.dumps(values) + "\n"
