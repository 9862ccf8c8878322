"""A run whose operator is killed, terminated, or has other ranks: `make test-runs`."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.run.conftest import LONG, Finished, Outcome, Project, wait_until
from tests.run.test_run import TRAINING

pytestmark = pytest.mark.runs


def losses(outcome: Outcome) -> list[float]:
    return [step["loss"] for step in outcome.steps()]


def test_ranks_do_not_change_the_losses(undisturbed: Finished, tmp_path: Path) -> None:
    two = undisturbed.outcome
    one = undisturbed.project.changed("one", nodes=1, **LONG).run(tmp_path / "one")
    assert one.code == 0, one.errors
    assert one.blend_digest() == two.blend_digest()
    assert len(losses(two)) >= 20
    assert losses(one)[:20] == pytest.approx(losses(two)[:20], abs=1e-4)


def test_a_run_that_is_killed_and_terminated_ends_as_an_undisturbed_one(
    undisturbed: Finished, tmp_path: Path
) -> None:
    """By SIGKILL and then by SIGTERM, each while a checkpoint is written."""
    project, expected = undisturbed.project, undisturbed.outcome
    steps = []
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)):
        outcome = interrupted(project, tmp_path / "work", number)
        assert outcome.code == code, outcome.errors
        steps.append(len(outcome.steps()))
    assert 0 < steps[0] <= steps[1] < len(expected.steps())

    last = project.run(tmp_path / "work")
    assert last.code == 0, last.errors
    assert last.blend_digest() == expected.blend_digest()
    assert losses(last) == losses(expected)


def interrupted(project: Project, workdir: Path, number: signal.Signals) -> Outcome:
    """A run that goes on from the latest checkpoint, and gets a signal after the next one."""
    checkpoints = workdir / TRAINING / "checkpoints"
    latest = checkpoints / "latest.json"
    before = latest.read_text() if latest.exists() else ""

    def is_saving() -> bool:
        has_gone_on = latest.exists() and latest.read_text() != before
        return has_gone_on and any(checkpoints.glob("step-*.tmp"))

    process = project.start(workdir)
    wait_until(process, is_saving)
    process.send_signal(number)
    return project.finish(process, workdir)
