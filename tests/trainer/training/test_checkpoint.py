"""Which checkpoint a run may resume from, and that a killed save leaves a complete one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from tests.trainer.training.runs import build_config

from blendtune_api.codec import encode
from blendtune_api.contract import ExitCode
from blendtune_runtime.errors import OtherCheckpoint, StorageFull
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.training.checkpoint import CONTENTS, POINTER, Checkpoints, Contents, Identity, Pointer

SHARDS = ("mp_rank_00_model_states.pt", "zero_pp_rank_0_mp_rank_00_optim_states.pt")


def identity(blend_digest: str = "blend", **training: object) -> Identity:
    return Identity.of(build_config(Path("/models/base"), **training), blend_digest)


def leave(folder: Path, theirs: Identity, *names: str, step: int = 4) -> None:
    """Complete checkpoints with these names, and a pointer to that of `step`."""
    for name in names:
        (folder / name).mkdir()
        for file in SHARDS:
            (folder / name / file).write_bytes(b"x" * 100)
        number = int(name.removeprefix("step-").partition(".")[0])
        pointer = Pointer(step=number, world_size=2, stage=1, identity=theirs)
        contents = Contents(pointer=pointer, files=dict.fromkeys(SHARDS, 100))
        (folder / name / CONTENTS).write_text(json.dumps(encode(contents)))
    pointer = Pointer(step=step, world_size=2, stage=1, identity=theirs)
    (folder / POINTER).write_text(json.dumps(encode(pointer)))


def test_nothing_to_resume_from(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "absent", identity(), 2).latest() is None


def test_the_pointer_comes_back_as_it_was(tmp_path: Path) -> None:
    leave(tmp_path, identity(), "step-4")
    assert Checkpoints(tmp_path, identity(), 2).latest() == Pointer(
        step=4, world_size=2, stage=1, identity=identity()
    )


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        pytest.param(
            identity(learning_rate=1e-5),
            "spec.training.learningRate was 1e-05 and is 0.003",
            id="a field that both set",
        ),
        pytest.param(
            identity(weight_decay=0.5), "spec.training.weightDecay was 0.5 and is 0.1", id="another field"
        ),
        pytest.param(identity("other"), "the blend was other and is blend", id="the data"),
    ],
)
def test_another_runs_checkpoint_is_refused_by_what_differs(
    tmp_path: Path, theirs: Identity, words: str
) -> None:
    leave(tmp_path, theirs, "step-4")
    with pytest.raises(OtherCheckpoint, match="another configuration") as caught:
        Checkpoints(tmp_path, identity(), 2).latest()
    assert caught.value.exit_code is ExitCode.OTHER_CHECKPOINT
    assert words in caught.value.message
    assert (tmp_path / "step-4").exists()


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    leave(tmp_path, identity(), "step-2", "step-4", "step-6", "step-8.tmp", "step-4.universal")
    Checkpoints(tmp_path, identity(), 2).remove_all_after(4)
    assert sorted(folder.name for folder in tmp_path.glob("step-*")) == ["step-2", "step-4"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(lambda step: os.truncate(step / SHARDS[1], 60), "60 of its 100 bytes", id="cut short"),
        pytest.param(lambda step: (step / SHARDS[0]).unlink(), "is missing", id="a shard gone"),
        pytest.param(lambda step: (step / CONTENTS).unlink(), "is missing", id="its list gone"),
        pytest.param(lambda step: (step / CONTENTS).write_text("{"), "cannot be read", id="its list damaged"),
        pytest.param(shutil.rmtree, "is missing", id="the folder gone"),
    ],
)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object], words: str
) -> None:
    leave(tmp_path, identity(), "step-2", "step-4")
    damage(tmp_path / "step-4")
    found = Checkpoints(tmp_path, identity(), 2).latest()
    assert found is not None
    assert found.step == 2
    said = capsys.readouterr().out
    assert "the checkpoint of step 4 is not whole" in said
    assert words in said


@pytest.mark.parametrize("pointer", [None, "{", "[]"])
def test_a_lost_pointer_loses_no_checkpoint(tmp_path: Path, pointer: str | None) -> None:
    leave(tmp_path, identity(), "step-2", "step-4")
    (tmp_path / POINTER).unlink() if pointer is None else (tmp_path / POINTER).write_text(pointer)
    found = Checkpoints(tmp_path, identity(), 2).latest()
    assert found is not None
    assert found.step == 4


class Engine:
    """Saves two shards, as DeepSpeed's would."""

    def save_checkpoint(self, folder: str, tag: str, **_: object) -> None:
        home = Path(folder) / tag
        home.mkdir(parents=True)
        for name in SHARDS:
            with (home / name).open("wb") as shard:
                for _part in range(2):
                    shard.write(b"x" * 50)
                    shard.flush()


class Alone:
    """One rank."""

    world_size = 1
    is_first = True

    def barrier(self) -> None:
        pass


def save(folder: Path, step: int) -> None:
    Checkpoints(folder, identity(), keep=2).save(Engine(), Alone(), step, 1)  # type: ignore[arg-type]


def save_and_die(folder: Path, step: int, fatal: int) -> int:
    """Saves in a process that is killed at its `fatal`-th file operation. Without a kill, their number."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        events = 0

        def count(event: str, _: tuple[object, ...]) -> None:
            nonlocal events
            if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree"):
                events += 1
                if events == fatal:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        save(folder, step)
        os.write(writing, str(events).encode())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    assert os.WIFSIGNALED(status) == (not said)
    return int(said) if said else 0


def test_whenever_a_save_is_killed_a_complete_checkpoint_is_left(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    for step in (1, 2):
        save(earlier, step)
    points = save_and_die(shutil.copytree(earlier, tmp_path / "undisturbed"), 3, 0)
    print(f"killed at {points} points of a save")
    assert points > 10
    for fatal in range(1, points + 1):
        folder = shutil.copytree(earlier, tmp_path / str(fatal))
        assert not save_and_die(folder, 3, fatal)
        checkpoints = Checkpoints(folder, identity(), keep=2)
        found = checkpoints.latest()
        assert found is not None
        assert found.step in (2, 3)
        checkpoints.remove_all_after(found.step)
        assert {path.name for path in folder.glob("step-*")} >= {f"step-{found.step}"}
        save(folder, found.step + 1)
        again = Checkpoints(folder, identity(), keep=2).latest()
        assert again is not None
        assert again.step == found.step + 1
        assert len(list(folder.glob("step-*"))) == 2


def test_a_step_that_is_saved_again_replaces_its_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 3)
    (tmp_path / "step-3" / "stale").touch()
    save(tmp_path, 3)
    found = Checkpoints(tmp_path, identity(), keep=2).latest()
    assert found is not None and found.step == 3
    assert not (tmp_path / "step-3" / "stale").exists()


class FailingEngine:
    """An engine whose save fails; before that another rank has removed the folder, or not."""

    def __init__(self, error: Exception, *, is_removed: bool) -> None:
        self._error = error
        self._is_removed = is_removed

    def save_checkpoint(self, folder: str, tag: str, **_: Any) -> None:
        (Path(folder) / tag).mkdir(parents=True)
        if self._is_removed:
            shutil.rmtree(Path(folder) / tag)
        raise self._error


GONE = RuntimeError("Parent directory /work/train/checkpoints/step-3.tmp does not exist.")
FULL = OSError(errno.ENOSPC, "No space left on device")
FORBIDDEN = PermissionError(errno.EACCES, "Permission denied")


@pytest.mark.parametrize(
    ("error", "is_removed", "expected"),
    [
        pytest.param(FULL, False, StorageFull, id="full"),
        pytest.param(GONE, True, StorageFull, id="another rank found it full, torch's words"),
        pytest.param(FileNotFoundError("step-3.tmp"), True, StorageFull, id="another rank found it full"),
        pytest.param(GONE, False, RuntimeError, id="something else does not exist"),
        pytest.param(FORBIDDEN, True, PermissionError, id="forbidden"),
    ],
)
def test_a_save_that_fails(
    error: Exception, is_removed: bool, expected: type[Exception], tmp_path: Path
) -> None:
    leave(tmp_path, identity(), "step-2", step=2)
    engine = FailingEngine(error, is_removed=is_removed)
    with pytest.raises(expected) as raised:
        Checkpoints(tmp_path, identity(), 2).save(engine, cast(Ranks, None), step=3, stage=1)
    if expected is StorageFull:
        assert "the checkpoint of step 2 stays" in str(raised.value)
        assert not list(tmp_path.glob("*.tmp"))
