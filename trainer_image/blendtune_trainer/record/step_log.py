"""Logs of JSON lines keyed by step, from which a resumed run drops what lies beyond its checkpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blendtune_runtime.files import write_text


class StepLog:
    """Lines in the order of their `step`. A torn last line, as a kill leaves it, is not there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[dict[str, Any]]:
        return list(self._whole_lines())

    def keep_until(self, step: int) -> None:
        """Drops the lines of later steps."""
        if self._path.exists():
            kept = [line for line in self._whole_lines() if line["step"] <= step]
            write_text(self._path, "".join(_line(line) for line in kept))

    def append(self, **values: Any) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(_line(values))

    def flush(self) -> None:
        """Makes all lines durable."""
        if self._path.exists():
            with self._path.open("rb") as file:
                os.fsync(file.fileno())

    def _whole_lines(self) -> Iterator[dict[str, Any]]:
        if not self._path.exists():
            return
        for line in self._path.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                return


def _line(values: dict[str, Any]) -> str:
    return json.dumps(values) + "\n"
