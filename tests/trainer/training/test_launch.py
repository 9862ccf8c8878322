"""The launcher's exit codes, messages and signals, with small scripts in place of the ranks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.trainer.training.ranks import wait_until

from blendtune_api.contract import Env, ExitCode, Failure, TrainResult, decode_message, encode_message
from blendtune_api.v1alpha1 import Reason
from blendtune_trainer.launch import Exit, Gang, root_cause

RESULT = encode_message(
    TrainResult(config_digest="c", blend_digest="b", steps=1, tokens=2, model_digest="m", final_loss=1.5)
)
LAUNCH = """
import os, sys
from pathlib import Path
from blendtune_trainer import launch
launch.MEMORY_EVENTS = Path(os.environ["FOLDER"], "memory.events")
launch._SETTLE_SECONDS = float(os.environ.get("SETTLE_SECONDS", launch._SETTLE_SECONDS))
sys.exit(launch.main(sys.argv[1:]))
"""


def start(tmp_path: Path, rank_script: str, **environment: str) -> subprocess.Popen[bytes]:
    """The launcher over two ranks that run `rank_script` once both are there.

    It has `rank`, `leave(text)`, `forever()`, `kill()` and `kill_for_memory()`.
    """
    prelude = """
        import json, os, signal, sys, time
        from pathlib import Path
        rank = int(os.environ["RANK"])
        leave = Path(os.environ["BLENDTUNE_TERMINATION_LOG"]).write_text
        folder = Path(os.environ["FOLDER"])
        def kill():
            os.kill(os.getpid(), signal.SIGKILL)
        def kill_for_memory():
            (folder / "memory.events").write_text("oom 1\\noom_kill 1\\n")
            kill()
        def forever():
            (folder / f"ready-{rank}").touch()
            while True: time.sleep(0.01)
        (folder / ("here-" + os.environ["LOCAL_RANK"])).touch()
        while not all((folder / f"here-{local_rank}").exists() for local_rank in range(2)):
            time.sleep(0.01)
    """
    script = tmp_path / "rank.py"
    script.write_text(textwrap.dedent(prelude) + textwrap.dedent(rank_script))
    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH, sys.executable, str(script)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "FOLDER": str(tmp_path),
            Env.RANKS_PER_NODE: "2",
            Env.TERMINATION_LOG: str(tmp_path / "message"),
            **environment,
        },
    )


def message(tmp_path: Path) -> str:
    return (tmp_path / "message").read_text()


BAD_DATA = encode_message(Failure(reason=Reason.BAD_DATA, message="row 3 is bad"))
DISRUPTED = encode_message(Failure(reason=Reason.DISRUPTED, message="checkpointed at step 7"))
GPU_MEMORY = encode_message(Failure(reason=Reason.OUT_OF_MEMORY, message="a GPU ran out of memory"))


def test_success_leaves_the_result_of_rank_0(tmp_path: Path) -> None:
    process = start(tmp_path, f"leave({RESULT!r}) if rank == 0 else None")
    assert process.wait(60) == ExitCode.SUCCESS
    assert message(tmp_path) == RESULT


@pytest.mark.parametrize(
    ("script", "code", "reason", "text"),
    [
        pytest.param(
            f"sys.exit(200) if rank == 0 else (time.sleep(.3), leave({BAD_DATA!r}), sys.exit(65))",
            65, Reason.BAD_DATA, "row 3 is bad", id="bad data, seen first as a lost peer",
        ),
        pytest.param(
            f"leave({DISRUPTED!r}); sys.exit(143)",
            143, Reason.DISRUPTED, "checkpointed at step 7", id="preempted",
        ),
        pytest.param(
            f"(leave({DISRUPTED!r}), sys.exit(143)) if rank else sys.exit(200)",
            143, Reason.DISRUPTED, "checkpointed at step 7", id="preempted, the other lost a peer",
        ),
        pytest.param("sys.exit(143)", 143, Reason.DISRUPTED, "SIGTERM", id="preempted without a word"),
        pytest.param(
            "sys.exit(200) if rank else kill()",
            137, Reason.STAGE_FAILED, "rank 0 was ended by SIGKILL", id="SIGKILL",
        ),
        pytest.param(
            "sys.exit(200) if rank else kill_for_memory()",
            137, Reason.OUT_OF_MEMORY, "rank 0 was killed because its container ran out", id="out of memory",
        ),
        pytest.param(
            f"(leave({GPU_MEMORY!r}), sys.exit(67)) if rank else sys.exit(200)",
            67, Reason.OUT_OF_MEMORY, "a GPU ran out of memory", id="out of GPU memory",
        ),
        pytest.param(
            "forever() if rank else sys.exit(200)",
            200, Reason.STAGE_FAILED, "rank 0 lost a peer", id="lost peer",
        ),
        pytest.param(
            "(time.sleep(.3), sys.exit(1)) if rank else os.abort()",
            1, Reason.STAGE_FAILED, "rank 1 exited with code 1", id="aborted before the cause was seen",
        ),
        pytest.param("sys.exit(201)", 201, Reason.STAGE_FAILED, "code 201", id="hang"),
        pytest.param(
            "leave('half a mess'); sys.exit(64)", 64, Reason.STAGE_FAILED, "code 64", id="torn message"
        ),
    ],
)  # fmt: skip
def test_exit_code_and_root_cause(tmp_path: Path, script: str, code: int, reason: Reason, text: str) -> None:
    check_failure(start(tmp_path, script), tmp_path, code, reason, text)


@pytest.mark.parametrize(
    ("script", "code", "reason", "text"),
    [
        pytest.param(
            f"(leave({BAD_DATA!r}), sys.exit(65)) if rank else forever()",
            65, Reason.BAD_DATA, "row 3 is bad", id="bad data, the other rank waits",
        ),
        pytest.param(
            "forever() if rank else os.abort()",
            200, Reason.STAGE_FAILED, "rank 0 lost a peer", id="aborted, as by NCCL's watchdog",
        ),
        pytest.param(
            f"forever() if rank else (leave({GPU_MEMORY!r}), os.abort())",
            134, Reason.OUT_OF_MEMORY, "a GPU ran out of memory", id="aborted with a word",
        ),
        pytest.param(
            "sys.exit(1) if rank else forever()",
            1, Reason.STAGE_FAILED, "rank 1 exited with code 1", id="unexpected",
        ),
    ],
)  # fmt: skip
def test_exit_code_of_one_while_the_other_waits(
    tmp_path: Path, script: str, code: int, reason: Reason, text: str
) -> None:
    check_failure(start(tmp_path, script, SETTLE_SECONDS="0.5"), tmp_path, code, reason, text)


def check_failure(
    process: subprocess.Popen[bytes], tmp_path: Path, code: int, reason: Reason, text: str
) -> None:
    """Waits for the launcher, which fails with this exit code and message."""
    assert process.wait(60) == code
    outcome = decode_message(message(tmp_path))
    assert isinstance(outcome, Failure)
    assert outcome.reason is reason
    assert text in outcome.message


def test_an_abort_without_peers_is_its_own_fault(tmp_path: Path) -> None:
    (tmp_path / "here-1").touch()
    process = start(tmp_path, "os.abort()", **{Env.RANKS_PER_NODE: "1"})
    assert process.wait(60) == 134
    outcome = decode_message(message(tmp_path))
    assert isinstance(outcome, Failure)
    assert "rank 0 was ended by SIGABRT" in outcome.message


def test_node_without_rank_0_leaves_no_message(tmp_path: Path) -> None:
    process = start(tmp_path, "leave('x')", **{Env.NODES: "2", Env.NODE_RANK: "1"})
    assert process.wait(60) == 0
    assert message(tmp_path) == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_reaches_the_ranks_whose_save_is_waited_for(tmp_path: Path, number: signal.Signals) -> None:
    """The ranks save for as long as the test wants, within a grace period that is the operator's default."""
    script = f"""
        def stop(*_):
            (folder / f"saving-{{rank}}").touch()
            while not (folder / "saved").exists():
                time.sleep(0.01)
            leave({DISRUPTED!r})
            sys.exit(143)
        signal.signal(signal.SIGTERM, stop)
        forever()
    """
    process = start(tmp_path, script, **{Env.GRACE_SECONDS: "300"})
    wait_until(lambda: all((tmp_path / f"ready-{rank}").exists() for rank in range(2)))
    process.send_signal(number)
    wait_until(lambda: all((tmp_path / f"saving-{rank}").exists() for rank in range(2)))
    process.send_signal(number)  # a second one changes nothing
    assert process.poll() is None
    (tmp_path / "saved").touch()
    assert process.wait(60) == ExitCode.PREEMPTED
    assert message(tmp_path) == DISRUPTED


@pytest.mark.parametrize(
    ("grace", "asleep", "killed"),
    [
        pytest.param(300, 60, False, id="a save of 60 s within the operator's default"),
        pytest.param(300, 297, False, id="until just before its end"),
        pytest.param(300, 299, True, id="then our own end has its turn"),
        pytest.param(30, 60, True, id="Kubernetes' default would not do"),
    ],
)
def test_the_ranks_have_the_grace_period(grace: float, asleep: float, killed: bool) -> None:
    gang = Gang(nodes=1, node_rank=0, ranks_per_node=1, grace_seconds=grace)
    assert (asleep > gang.seconds_to_save) == killed


def test_ranks_that_do_not_stop_are_killed_when_the_grace_period_ends(tmp_path: Path) -> None:
    process = start(
        tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN); forever()", **{Env.GRACE_SECONDS: "3"}
    )
    wait_until(lambda: all((tmp_path / f"ready-{rank}").exists() for rank in range(2)))
    process.terminate()
    assert process.wait(60) == ExitCode.PREEMPTED
    outcome = decode_message(message(tmp_path))
    assert isinstance(outcome, Failure)
    assert outcome.reason is Reason.DISRUPTED
    assert "grace period" in outcome.message


def test_a_rank_that_fails_while_it_stops_ends_the_grace_period_of_the_other(tmp_path: Path) -> None:
    script = """
        signal.signal(signal.SIGTERM, signal.SIG_IGN if rank else lambda *_: sys.exit(1))
        forever()
    """
    process = start(tmp_path, script, SETTLE_SECONDS="0.5", **{Env.GRACE_SECONDS: "300"})
    wait_until(lambda: all((tmp_path / f"ready-{rank}").exists() for rank in range(2)))
    process.terminate()
    check_failure(process, tmp_path, 1, Reason.STAGE_FAILED, "rank 0 exited with code 1")


def test_environment_of_a_rank(tmp_path: Path) -> None:
    gang = Gang(nodes=3, node_rank=2, ranks_per_node=4, grace_seconds=30)
    environment = gang.environment(1, {"MASTER_ADDR": "first", "OMP_NUM_THREADS": "7"}, tmp_path)
    assert (environment["RANK"], environment["LOCAL_RANK"], environment["WORLD_SIZE"]) == ("9", "1", "12")
    assert (environment["MASTER_ADDR"], environment["OMP_NUM_THREADS"]) == ("first", "7")


def test_the_log_of_each_node_says_which_it_is() -> None:
    gang = Gang(nodes=3, node_rank=1, ranks_per_node=2, grace_seconds=30)
    told = gang.told({Env.MASTER_ADDR: "run-train-1-0"})
    assert told == "node 1 of 3: rank 2, 3 of 6, rank 0 at run-train-1-0"


@pytest.mark.parametrize(
    ("master", "ranks_here"),
    [pytest.param("127.0.0.1", 8, id="all nodes on one machine"), pytest.param("first", 4, id="a node each")],
)
def test_ranks_share_the_cores(tmp_path: Path, master: str, ranks_here: int) -> None:
    gang = Gang(nodes=2, node_rank=0, ranks_per_node=4, grace_seconds=30)
    threads = int(gang.environment(0, {"MASTER_ADDR": master}, tmp_path)["OMP_NUM_THREADS"])
    assert threads == max(1, len(os.sched_getaffinity(0)) // ranks_here)


@pytest.mark.parametrize(
    ("exits", "cause"),
    [
        pytest.param([(0, 0, False), (1, 0, False)], None, id="success"),
        pytest.param([(0, 200, False), (1, 137, False)], 1, id="lost peer first"),
        pytest.param([(0, 137, True), (1, 200, False)], 1, id="one that we killed is never the cause"),
        pytest.param([(0, 1, False), (1, 71, False)], 1, id="a permanent failure explains most"),
        pytest.param([(1, 137, False), (0, 1, False)], 1, id="else the earliest"),
    ],
)
def test_root_cause(exits: list[tuple[int, int, bool]], cause: int | None) -> None:
    found = root_cause([Exit(local_rank=rank, code=code, killed=killed) for rank, code, killed in exits])
    assert (found.local_rank if found else None) == cause
