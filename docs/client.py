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
    """Three runs of a namespace: `make demo` amid its training and at its end, and one that is queued."""
    general = {"n": 45, "score": 0.503704, "low": 0.394583, "high": 0.612473}
    in_domain = {"n": 24, "score": 0.694444, "low": 0.540362, "high": 0.814597}
    overall = {"n": 69, "score": 0.570048, "low": 0.481929, "high": 0.653942}
    done = {
        "name": "ads-first",
        "overall": {"name": "overall", **overall, "baselineScore": 0.454545, "delta": 0.116162,
                    "deltaLow": -0.011008, "deltaHigh": 0.213482},
        "inDomain": {"name": "inDomain", **in_domain, "baselineScore": 0.0, "delta": 0.694444,
                     "deltaLow": 0.487614, "deltaHigh": 0.814597},
        "general": {"name": "general", **general, "baselineScore": 0.714286, "delta": -0.214286,
                    "deltaLow": -0.34735, "deltaHigh": -0.057456},
    }  # fmt: skip
    trains = {
        "state": "Training",
        "conditions": [
            _condition("DataBlended", "True", "Completed", "25,956 tokens of 2 sources in 52 steps"),
            _condition("TrainingSucceeded", "Unknown", "Running", "attempt 1"),
        ],
        "trainerStatus": {
            "progressPercentage": 50,
            "estimatedRemainingSeconds": 107,
            "metrics": [
                {"name": name, "value": value}
                for name, value in (("step", "26"), ("steps", "52"), ("loss", "0.7221"),
                                    ("tokensPerSecond", "118"))
            ],
        },
    }  # fmt: skip
    ended = {
        "state": "Succeeded",
        "conditions": [
            _condition("GatesPassed", "True", "GatesPassed", "all 2 gates passed"),
            _condition("Succeeded", "True", "Completed", ""),
        ],
        "training": {"steps": 52, "tokens": 25_956, "finalLoss": 1.7784},
        "evaluation": done,
    }
    return [
        _run("ads", "2026-01-01T23:57:00Z", trains),
        _run("ads-lora", "2026-01-01T23:59:00Z", {"state": "Queued"}),
        _run("ads-first", "2025-12-30T00:00:00Z", ended),
    ]


def _run(name: str, created: str, status: Any) -> Object:
    source = {"name": "ads", "role": "inDomain", "uri": "pvc://datasets/ads.jsonl", "weight": 1}
    return {
        "apiVersion": "blendtune.io/v1alpha1",
        "kind": "BlendedFineTune",
        "metadata": {"name": name, "namespace": "team", "creationTimestamp": created},
        "spec": {
            "model": {"uri": "hf://HuggingFaceTB/SmolLM2-135M-Instruct"},
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
        "lastTransitionTime": "2026-01-01T23:58:00Z",
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
