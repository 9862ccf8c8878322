"""Logs with an incomplete last line, and logs that a resumed training truncates."""

from __future__ import annotations

from pathlib import Path

import pytest

from blendtune_trainer.record.step_log import StepLog


@pytest.mark.parametrize(
    ("torn", "until", "expected"),
    [
        pytest.param("", 5, [1, 2, 3], id="all kept"),
        pytest.param("", 2, [1, 2], id="later steps dropped"),
        pytest.param('{"step": 4, "lo', 9, [1, 2, 3], id="torn last line"),
        pytest.param("", 0, [], id="from the start"),
    ],
)
def test_kept_lines(tmp_path: Path, torn: str, until: int, expected: list[int]) -> None:
    path = tmp_path / "train" / "steps.jsonl"
    log = StepLog(path)
    assert log.read() == []
    for step in (1, 2, 3):
        log.append(step=step, loss=0.5)
    with path.open("a") as file:
        file.write(torn)
    log.truncate_after(until)
    assert [line["step"] for line in log.read()] == expected
    log.append(step=9)
    assert [line["step"] for line in log.read()] == [*expected, 9]
