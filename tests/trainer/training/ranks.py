"""Processes of ranks, forked from a server that has imported everything, and the faults they can have.

Imports take a rank several seconds of CPU time, a training of a tiny model a third of a second. The server
imports once in a test run. Each rank is still a process of its own, which ends with an exit code or by a
signal and shares no state with those of other trainings.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pkgutil
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from typing import Any

from blendtune_api.contract import Env

Rank = BaseProcess
RANK_SERVER = multiprocessing.get_context("forkserver")
_PRELOADED = [
    "blendtune_trainer.train",
    "deepspeed.checkpoint.ds_to_universal",
    "deepspeed.module_inject.auto_ep_layer",
    "deepspeed.runtime.zero.muon.muon_optimizer",
    "peft",
    "transformers.models.llama.modeling_llama",
]


def start_rank_server() -> None:
    """Starts the server. A process has one, with what its first user wants imported: this has to be that."""
    RANK_SERVER.set_forkserver_preload(_PRELOADED)
    ensure_running()


@dataclass(frozen=True)
class Interruption:
    """A signal that a rank sends to itself at the end of a method's n-th call."""

    rank: int
    signal: signal.Signals
    calls: int
    method: str = "step"
    owner: str = "deepspeed.runtime.engine:DeepSpeedEngine"


def start_rank(
    environment: Mapping[str, str], room_for_checkpoints: int | None, interruption: Interruption | None
) -> Rank:
    """Starts a rank with further environment variables. Its output goes to its termination log + ".log".

    After `room_for_checkpoints` checkpoints, if not None, the disk is full.
    """
    arguments = (dict(environment), room_for_checkpoints, interruption)
    process = RANK_SERVER.Process(target=_run_rank, args=arguments)
    process.start()
    return process


def finish(ranks: list[Rank], timeout: float = 120) -> list[int]:
    """Waits for all ranks; their exit codes, -N for signal N. Kills those that do not end in time."""
    try:
        for rank in ranks:
            rank.join(timeout)
        return [_exit_code(rank) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
            rank.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool], timeout: float = 180) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def _exit_code(rank: Rank) -> int:
    assert rank.exitcode is not None, "the rank did not end in time"
    return rank.exitcode


def _run_rank(
    environment: dict[str, str], room_for_checkpoints: int | None, interruption: Interruption | None
) -> None:
    os.environ.update(environment)
    from blendtune_trainer import train

    if room_for_checkpoints is not None:
        _fill_disk_after(room_for_checkpoints)
    if interruption is not None and environment["RANK"] == str(interruption.rank):
        _interrupt(interruption)
    log = os.open(environment[Env.TERMINATION_LOG] + ".log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.exit(train.main())


def _fill_disk_after(checkpoints: int) -> None:
    """Lets so many checkpoints be saved; then no file may grow beyond a few bytes, as on a full disk."""
    from deepspeed.runtime.engine import DeepSpeedEngine

    save = DeepSpeedEngine.save_checkpoint
    saved = 0

    def save_while_there_is_room(*arguments: Any, **options: Any) -> Any:
        nonlocal saved
        saved += 1
        if saved > checkpoints:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        return save(*arguments, **options)

    DeepSpeedEngine.save_checkpoint = save_while_there_is_room


def _interrupt(interruption: Interruption) -> None:
    owner = pkgutil.resolve_name(interruption.owner)
    method = getattr(owner, interruption.method)
    calls = itertools.count(1)

    def call_and_interrupt(*arguments: Any, **options: Any) -> Any:
        result = method(*arguments, **options)
        if next(calls) == interruption.calls:
            signal.raise_signal(interruption.signal)
        return result

    setattr(owner, interruption.method, call_and_interrupt)
