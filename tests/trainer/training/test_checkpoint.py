"""Which checkpoint a run may resume from, and what it finds there. The saving itself is in test_training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.trainer.training.runs import build_config

from blendtune_api.codec import encode
from blendtune_api.contract import ExitCode
from blendtune_trainer.checkpoint import POINTER, Checkpoints, Identity, Pointer
from blendtune_trainer.errors import TrainerError


def identity(blend_digest: str = "blend", **training: object) -> Identity:
    return Identity.of(build_config(Path("/models/base"), **training), blend_digest)


def leave(folder: Path, theirs: Identity, *names: str, step: int = 4) -> None:
    for name in names:
        (folder / name).mkdir()
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
    with pytest.raises(TrainerError, match="another configuration") as caught:
        Checkpoints(tmp_path, identity(), 2).latest()
    assert caught.value.exit_code is ExitCode.OTHER_CHECKPOINT
    assert words in caught.value.message
    assert (tmp_path / "step-4").exists()


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    leave(tmp_path, identity(), "step-2", "step-4", "step-6", "step-8.tmp", "step-4.universal")
    Checkpoints(tmp_path, identity(), 2).remove_unfinished()
    assert sorted(folder.name for folder in tmp_path.glob("step-*")) == ["step-2", "step-4"]
