"""A training as the container starts it: launcher, two ranks, no compiler, only the claim is writable."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.trainer.training.ranks import Interruption, free_port, wait_until
from tests.trainer.training.runs import BINS_PER_STEP, Run, build_blend

from blendtune_api.contract import Env, ExitCode, Failure, decode_message
from blendtune_api.v1alpha1 import Reason

pytestmark = pytest.mark.runs
ROOT = Path(__file__).parents[3]


def launch(run: Run, empty_folder: Path, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "blendtune_trainer", "launch"],
        env={
            **run.environment(2),
            "PATH": str(empty_folder),
            "HOME": "/proc/nowhere",
            "TMPDIR": str(run.folder),
            "PYTHONPATH": os.pathsep.join(str(ROOT / source) for source in ("crds", "lib", "trainer_image")),
            Env.RANKS_PER_NODE: "2",
            Env.GRACE_SECONDS: "60",
            Env.METRICS_PORT: str(port),
            Env.TERMINATION_LOG: str(run.message),
        },
    )


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


STEPS = 300  # enough that the training still runs when its first steps have been seen


def test_watched_interrupted_and_resumed_without_a_compiler(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    run = make_run(build_blend(bins=BINS_PER_STEP * STEPS))
    empty_folder = tmp_path / "empty"
    empty_folder.mkdir()
    port = free_port()
    process = launch(run, empty_folder, port)
    try:
        wait_until(lambda: len(run.steps()) >= 3 or process.poll() is not None)
        progress, metrics = json.loads(get(port, "/progress")), get(port, "/metrics")
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == ExitCode.PREEMPTED
        outcome = decode_message(run.message.read_text())
        assert isinstance(outcome, Failure)
        assert outcome.reason is Reason.DISRUPTED
        assert progress["steps"] == STEPS
        assert progress["step"] >= 3
        assert progress["phase"] == "training"
        assert progress["remainingSeconds"] > 0
        assert f"blendtune_training_steps {STEPS}.0" in metrics
    finally:
        process.kill()
        process.wait()
    reached = len(run.steps())
    stopped = Interruption(rank=0, signal=signal.SIGTERM, calls=3)
    assert run.train(2, interruption=stopped) == [ExitCode.PREEMPTED, ExitCode.PREEMPTED]
    assert f"resuming from the checkpoint of step {reached}" in run.log_of(0)
    assert run.column("step") == list(range(1, reached + 4))
