"""What an evaluation tells of its progress."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blendtune_eval.answering.progress import AnswerProgress


def test_the_remaining_time_follows_from_the_mean_of_an_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0
    progress = AnswerProgress(tmp_path, 40, clock=lambda: now)

    def told(done: int) -> Any:
        progress.report(done, "tuned")
        return json.loads((tmp_path / "progress.json").read_text())

    assert told(0) == {"done": 0, "total": 40}
    now = 105.0
    assert told(10) == {"done": 10, "total": 40, "estimatedRemainingSeconds": 15}
    now = 112.0
    assert told(30) == {"done": 30, "total": 40, "estimatedRemainingSeconds": 4}
    assert told(40) == {"done": 40, "total": 40}
    assert capsys.readouterr().out.splitlines()[1] == "answered 10/40 (tuned)"
