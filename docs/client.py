"""Writes what the commands print into docs/client.md: `python docs/client.py`."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from rich.console import Console

from blendtune_operator.cli.cluster.listing import listing
from blendtune_operator.cli.parser import commands
from blendtune_operator.cli.view import live_view
from blendtune_operator.client.objects import decoded
from blendtune_operator.client.rights import RIGHTS, table
from blendtune_operator.names import Object

PAGE = Path(__file__).parent / "client.md"
_BLOCK = re.compile(r"(<!-- begin ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NOW = datetime(2026, 1, 2, tzinfo=UTC)
_WIDTH = 100


def page(text: str) -> str:
    """The page with every block as the commands print it."""
    blocks = {
        "status": _console("$ blendtune status", listing(examples(), _NOW)),
        "status ads": _console("$ blendtune status ads", live_view(decoded(examples()[0]), "")),  # type: ignore[arg-type]
        "rights": table(),
        "help": "\n".join(map(_help, RIGHTS)),
    }
    return _BLOCK.sub(lambda found: f"{found[1]}{blocks[found[2]]}{found[3]}", text)


def examples() -> list[Object]:
    """Three runs of a namespace: one trains, one waits for GPUs, one has ended."""
    score = {"n": 23, "low": 0.7, "high": 0.95, "baselineScore": 0.3}
    done = {
        "name": "ads-first",
        "overall": {"name": "overall", **score, "score": 0.78},
        "inDomain": {"name": "inDomain", **score, "score": 0.84, "delta": 0.54},
        "general": {"name": "general", **score, "score": 0.71, "delta": -0.02},
    }
    trains = {
        "state": "Training",
        "conditions": [
            _condition("DataBlended", "True", "Completed", "6,012,400 tokens, 50.1% in-domain"),
            _condition("TrainingSucceeded", "Unknown", "Running", "attempt 1"),
        ],
        "trainerStatus": {
            "progressPercentage": 30,
            "estimatedRemainingSeconds": 5400,
            "metrics": [
                {"name": name, "value": value}
                for name, value in (("step", "120"), ("steps", "400"), ("loss", "1.2471"),
                                    ("tokensPerSecond", "41250"))
            ],
        },
    }  # fmt: skip
    ended = {
        "state": "Succeeded",
        "conditions": [
            _condition("GatesPassed", "True", "GatesPassed", "all 2 gates passed"),
            _condition("Succeeded", "True", "Completed", ""),
        ],
        "training": {"steps": 400, "tokens": 6_012_400, "finalLoss": 0.9312},
        "evaluation": done,
    }
    return [
        _run("ads", "2026-01-01T21:00:00Z", trains),
        _run("ads-lora", "2026-01-01T23:20:00Z", {"state": "Queued"}),
        _run("ads-first", "2025-12-30T00:00:00Z", ended),
    ]


def _run(name: str, created: str, status: Any) -> Object:
    source = {"name": "ads", "role": "inDomain", "uri": "pvc://datasets/ads.jsonl", "weight": 1}
    return {
        "apiVersion": "blendtune.io/v1alpha1",
        "kind": "BlendedFineTune",
        "metadata": {"name": name, "namespace": "team", "creationTimestamp": created},
        "spec": {
            "model": {"uri": "hf://Qwen/Qwen2.5-7B-Instruct"},
            "blend": {"budget": {"epochs": 3}, "sources": [source]},
            "storage": {"persistentVolumeClaim": "blendtune"},
        },
        "status": status,
    }


def _condition(type: str, status: str, reason: str, message: str) -> Object:
    return {
        "type": type,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2026-01-01T21:00:00Z",
    }


def _console(command: str, shown: Any) -> str:
    console = Console(file=StringIO(), width=_WIDTH)
    console.print(shown)
    assert isinstance(console.file, StringIO)
    lines = "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())
    return f"```console\n{command}\n{lines}\n```\n"


def _help(name: str) -> str:
    with patch.dict(os.environ, {"COLUMNS": str(_WIDTH), "NO_COLOR": "1"}):
        return f"```text\n{commands()[name].format_help()}```\n"


def main() -> None:
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
