"""The `launch` command of a training container: runs the ranks of a node and reports one outcome.

torchrun turns every exit code into 1 and kills the ranks 30 seconds after SIGTERM. Here the exit code is that
of the root cause, and the ranks have the whole grace period to save a checkpoint.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blendtune_api.contract import Env, ExitCode, Failure, MessageError, decode_message, encode_message
from blendtune_api.v1alpha1 import Reason
from blendtune_trainer.ranks.hosts import is_loopback

RANK_COMMAND = (sys.executable, "-m", "blendtune_trainer", "train")
MEMORY_EVENTS = Path("/sys/fs/cgroup/memory.events")  # of this container (cgroup v2)

_LOOPBACK = "127.0.0.1"  # of rank 0 where nothing says where it is
_SETTLE_SECONDS = 5.0  # for the other ranks to end on their own after one has failed
_GRACE_MARGIN_SECONDS = 2.0  # of the grace period, for the launcher itself to end
_POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Gang:
    """The ranks of this node, and how many nodes there are."""

    nodes: int
    node_rank: int
    ranks_per_node: int
    grace_seconds: float

    @staticmethod
    def of(environment: Mapping[str, str]) -> Gang:
        """The gang that the environment variables of `Env` describe; by default one rank."""
        return Gang(
            nodes=int(environment.get(Env.NODES, "1")),
            node_rank=int(environment.get(Env.NODE_RANK, "0")),
            ranks_per_node=int(environment.get(Env.RANKS_PER_NODE, "1")),
            grace_seconds=float(environment.get(Env.GRACE_SECONDS, "30")),
        )

    @property
    def world_size(self) -> int:
        """Number of ranks on all nodes."""
        return self.nodes * self.ranks_per_node

    @property
    def seconds_to_save(self) -> float:
        """How long the ranks may continue after a stop signal."""
        return max(1.0, self.grace_seconds - _GRACE_MARGIN_SECONDS)

    def told(self, environment: Mapping[str, str]) -> str:
        """What the log of each node begins with."""
        ranks = ", ".join(str(self._rank(local_rank)) for local_rank in range(self.ranks_per_node))
        master = environment.get(Env.MASTER_ADDR, _LOOPBACK)
        return f"node {self.node_rank} of {self.nodes}: rank {ranks} of {self.world_size}, rank 0 at {master}"

    def environment(self, local_rank: int, base: Mapping[str, str], message: Path) -> dict[str, str]:
        """The environment of one rank: what torch.distributed reads, over `base`.

        The rank writes its termination message to `message`.
        """
        defaults: dict[str, str] = {Env.MASTER_ADDR: _LOOPBACK, Env.MASTER_PORT: "29500"}
        given = defaults | dict(base)
        return {
            "OMP_NUM_THREADS": str(self._threads(given[Env.MASTER_ADDR])),
            **given,
            "RANK": str(self._rank(local_rank)),
            "LOCAL_RANK": str(local_rank),
            "WORLD_SIZE": str(self.world_size),
            Env.TERMINATION_LOG: str(message),
        }

    def _rank(self, local_rank: int) -> int:
        return self.node_rank * self.ranks_per_node + local_rank

    def _threads(self, master: str) -> int:
        """Cores per rank of this machine. If the master is on loopback, all nodes are on this machine."""
        nodes_here = self.nodes if is_loopback(master) else 1
        return max(1, len(os.sched_getaffinity(0)) // (nodes_here * self.ranks_per_node))


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """How a rank of this node ended."""

    local_rank: int
    code: int  # 0..255; 128 + N for signal N
    killed: bool = False  # by the launcher, so that its code says nothing about the cause


def root_cause(exits: Sequence[Exit]) -> Exit | None:
    """The exit that caused the others; None if all ranks succeeded. `exits` are in the order they happened.

    Permanent failures come first, then all others but lost peers, then lost peers, then ranks that the
    launcher has killed. Among equals it is the earliest.
    """
    failed = [each for each in exits if each.code != ExitCode.SUCCESS]
    return min(failed, key=_cause_priority, default=None)  # min keeps the earliest among equals


def _cause_priority(exit: Exit) -> int:
    """0 for the likeliest kind of cause."""
    if exit.killed:
        return 3
    if ExitCode.is_permanent(exit.code):
        return 0
    return 2 if exit.code == ExitCode.PEER_LOST else 1


def main(command: Sequence[str] = RANK_COMMAND, environment: Mapping[str, str] = os.environ) -> int:
    """Runs `command` once per rank of this node and returns the exit code of the root cause, or 0.

    Writes the termination message: the result of rank 0, or the failure of the root cause.
    """
    gang = Gang.of(environment)
    if gang.nodes > 1:
        print(gang.told(environment), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="blendtune-launch-"))
    try:
        messages = [folder / f"rank-{local_rank}.json" for local_rank in range(gang.ranks_per_node)]
        exits = _Supervisor(gang, command, environment, messages).run()
        cause = root_cause(exits)
        text = (
            _success(gang, messages) if cause is None else _failure(gang, cause, messages[cause.local_rank])
        )
        if log := environment.get(Env.TERMINATION_LOG):
            Path(log).write_text(text)
        return ExitCode.SUCCESS if cause is None else cause.code
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _success(gang: Gang, messages: Sequence[Path]) -> str:
    """The result of rank 0; "" if rank 0 is on another node."""
    if gang.node_rank != 0 or not messages[0].exists():
        return ""
    return messages[0].read_text()


def _failure(gang: Gang, cause: Exit, message: Path) -> str:
    """The failure that the rank itself has written, else one that describes its exit code."""
    try:
        text = message.read_text()
        if isinstance(decode_message(text), Failure):
            return text
    except (FileNotFoundError, MessageError):
        pass
    rank = gang.node_rank * gang.ranks_per_node + cause.local_rank
    return encode_message(Failure(reason=_reason(cause.code), message=_describe(rank, cause)))


def _reason(code: int) -> Reason:
    match code:
        case ExitCode.PREEMPTED:
            return Reason.DISRUPTED
        case _ if _is_out_of_memory(code):
            return Reason.OUT_OF_MEMORY
        case _:
            return Reason.STAGE_FAILED


def _describe(rank: int, cause: Exit) -> str:
    if cause.killed:
        return f"rank {rank} was killed at the end of the grace period; the last checkpoint stays"
    if cause.code == ExitCode.PEER_LOST:
        return f"rank {rank} lost a peer, which may be on another node; its log says more"
    if _is_out_of_memory(cause.code):
        return (
            f"rank {rank} was killed because its container ran out of main memory: raise the memory in "
            "spec.cluster.train.resources"
        )
    if cause.code > 128 and cause.code - 128 in signal.valid_signals():
        return f"rank {rank} was ended by {signal.Signals(cause.code - 128).name}"
    return f"rank {rank} exited with code {cause.code}; its log says why"


def _is_out_of_memory(code: int) -> bool:
    """Whether the kernel has killed the rank because its container was out of memory."""
    if code != 128 + signal.SIGKILL:
        return False
    try:
        events = MEMORY_EVENTS.read_text().split()
    except OSError:
        return False
    counts = dict(zip(events[::2], events[1::2], strict=False))
    return int(counts.get("oom_kill", "0")) > 0


class _Supervisor:
    """Starts the ranks, passes stop signals on and waits until the last rank has ended."""

    def __init__(
        self, gang: Gang, command: Sequence[str], environment: Mapping[str, str], messages: Sequence[Path]
    ) -> None:
        self._gang = gang
        self._command = command
        self._environment = environment
        self._messages = messages
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._exits: list[Exit] = []
        self._stop_deadline: float | None = None
        self._kill_at: float | None = None
        self._killed = False

    def run(self) -> list[Exit]:
        """Runs all ranks; returns their exits in the order they happened."""
        previous = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            for local_rank, message in enumerate(self._messages):
                environment = self._gang.environment(local_rank, self._environment, message)
                self._running[local_rank] = subprocess.Popen(self._command, env=environment)
            while self._running:
                time.sleep(_POLL_SECONDS)
                self._reap()
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    self._kill()
        finally:
            self._kill()
            self._reap(wait=True)
            for number, handler in previous.items():
                signal.signal(number, handler)
        return self._exits

    def _stop(self, _number: int, _frame: object) -> None:
        """Passes the signal on as SIGTERM. The ranks have the rest of the grace period for a checkpoint."""
        for process in self._running.values():
            process.terminate()
        if self._stop_deadline is None:
            self._stop_deadline = time.monotonic() + self._gang.seconds_to_save
            self._kill_by(self._stop_deadline)

    def _reap(self, wait: bool = False) -> None:
        """Records the ranks that have ended; with `wait`, waits for all of them."""
        for local_rank, process in list(self._running.items()):
            status = process.wait() if wait else process.poll()
            if status is None:
                continue
            del self._running[local_rank]
            code = status if status >= 0 else 128 - status
            killed = self._killed and status == -signal.SIGKILL
            if killed and self._stop_deadline is not None:
                code = ExitCode.PREEMPTED
            if status == -signal.SIGABRT and self._lost_a_peer(local_rank):
                code = ExitCode.PEER_LOST
            self._exits.append(Exit(local_rank=local_rank, code=code, killed=killed))
            if code != ExitCode.SUCCESS:
                self._kill_by(time.monotonic() + _SETTLE_SECONDS)

    def _lost_a_peer(self, aborted_rank: int) -> bool:
        """Whether an abort counts as a lost peer: NCCL's watchdog aborts a rank without a message."""
        return self._gang.world_size > 1 and not self._messages[aborted_rank].exists()

    def _kill_by(self, moment: float) -> None:
        """Kills the ranks still running at `moment`, on the monotonic clock, unless planned for earlier."""
        self._kill_at = moment if self._kill_at is None else min(self._kill_at, moment)

    def _kill(self) -> None:
        if self._running:
            self._killed = True
        for process in self._running.values():
            process.kill()
