"""The `train` command: one rank of the training, from the environment of its pod to its exit code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import timedelta

from transformers.utils import logging as transformers_logging

from blendtune_api.contract import Env, Failure, TrainResult
from blendtune_api.v1alpha1 import Reason
from blendtune_runtime.program import leave_message, run_program
from blendtune_runtime.workspace_lock import hold
from blendtune_trainer.ranks.failures import failure_of
from blendtune_trainer.ranks.group import init_process_group
from blendtune_trainer.ranks.signals import StopRequest, end_with_parent
from blendtune_trainer.ranks.watchdog import Watchdog
from blendtune_trainer.record.progress import ProgressBoard, serving
from blendtune_trainer.stage import load_run
from blendtune_trainer.training.job import Job, train

_MIN_TIMEOUT_MINUTES = 30.0  # shortest timeout of the rendezvous and of collectives


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Trains as one rank, writes the outcome as termination message and returns the exit code."""
    end_with_parent()
    transformers_logging.disable_progress_bar()
    with StopRequest().listening() as stop:
        return run_program(lambda: _train(environment, stop), environment)


def _train(environment: Mapping[str, str], stop: StopRequest) -> TrainResult:
    """Trains as one rank. Turns the exceptions that `failure_of` knows into stage errors."""
    try:
        return _train_rank(environment, stop)
    except Exception as error:
        failure = failure_of(error)
        if failure is None or failure is error:
            raise
        raise failure from error


def _train_rank(environment: Mapping[str, str], stop: StopRequest) -> TrainResult:
    run = load_run(environment)
    hang_minutes = run.config.spec.training.hang_timeout_minutes
    board = ProgressBoard()
    watchdog = Watchdog(
        hang_minutes * 60,
        lambda message: leave_message(Failure(reason=Reason.STAGE_FAILED, message=message), environment),
    )
    first = environment["RANK"] == "0"
    lock = hold(run.workspace, run.config.uid, run.config.digest) if first else nullcontext()
    with lock, _serving(board, environment if first else {}):
        timeout = timedelta(minutes=max(hang_minutes, _MIN_TIMEOUT_MINUTES))
        ranks = init_process_group(environment, run.config.gpu, timeout)
        return train(Job(run=run, ranks=ranks, board=board, stop=stop, watchdog=watchdog))


@contextmanager
def _serving(board: ProgressBoard, environment: Mapping[str, str]) -> Iterator[None]:
    """Serves the board during the block, if the environment names a port."""
    if port := environment.get(Env.METRICS_PORT):
        with serving(board, int(port)):
            yield
    else:
        yield
