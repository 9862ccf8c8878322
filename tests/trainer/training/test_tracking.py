"""What the trackers keep of a training, read back with their own libraries, and that none can harm it."""

from __future__ import annotations

import importlib.util
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.trainer.training.ranks import Interruption
from tests.trainer.training.runs import Run

from blendtune_api.contract import ExitCode
from blendtune_api.v1alpha1 import AfterSuccess, Checkpoint
from blendtune_api.v1alpha1 import Tracker as Kind
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.record.trackers import MLflow, TrackedRun, Tracker
from blendtune_trainer.record.tracking import Tracking, check_libraries, tracking

MakeRun = Callable[..., Run]
SETTINGS = {"training": {"learningRate": 3e-5, "adam": {"beta1": 0.9}}}


def tracked_run(folder: Path, first_step: int = 0) -> TrackedRun:
    return TrackedRun(uid="uid-1", name="team/ads", settings=SETTINGS, folder=folder, first_step=first_step)


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of each series, as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


class Broken:
    """A tracker whose server is gone from the second value on."""

    def __init__(self) -> None:
        self.logged: list[int] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        if step > 1:
            raise ConnectionError("no answer")
        self.logged.append(step)

    def close(self, *, finished: bool) -> None:  # noqa: ARG002
        raise AssertionError("a tracker that failed is not asked again")


class Recorder:
    def __init__(self) -> None:
        self.values: list[tuple[int, Mapping[str, float]]] = []
        self.finished: bool | None = None

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.values.append((step, values))

    def close(self, *, finished: bool) -> None:
        self.finished = finished


def test_tensorboard_shows_a_resumed_training_as_one(make_run: MakeRun) -> None:
    keep = Checkpoint(every_minutes=600, after_success=AfterSuccess.KEEP)
    run = make_run(tracking=(Kind.TENSORBOARD,), checkpoint=keep)
    told = Interruption(rank=1, signal=signal.SIGTERM, calls=3)
    assert run.train(2, interruption=told) == [ExitCode.PREEMPTED, ExitCode.PREEMPTED]
    assert run.train(2) == [0, 0]
    series = scalars(run.workspace.train / "tracking" / "tensorboard")
    assert [step for step, _ in series["training/loss"]] == run.column("step")
    assert [value for _, value in series["training/loss"]] == pytest.approx(run.losses(), rel=1e-6)
    assert [value for _, value in series["training/gradientNorm"]] == pytest.approx(run.column("gradNorm"))
    assert [step for step, _ in series["validation/ads"]] == [0, 3, 6]
    assert series["validation/general"][-1][1] == pytest.approx(run.result.validation_loss[1].after)


def test_a_tracker_that_cannot_be_opened_ends_nothing(make_run: MakeRun) -> None:
    run = make_run(tracking=(Kind.TENSORBOARD,))
    (run.workspace.train).mkdir(parents=True)
    (run.workspace.train / "tracking").write_text("no folder")
    assert run.train() == [0]
    assert run.log_of(0).count("tensorboard failed, and the training goes on without it") == 1


def test_a_failing_tracker_is_reported_once_and_harms_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    broken, recorder = Broken(), Recorder()
    trackers = Tracking({"broken": lambda: broken, "recorder": lambda: recorder})
    for step in range(1, 5):
        trackers.log(step, {"training/loss": step / 2, "training/mfu": None})
    trackers.close(finished=True)
    assert broken.logged == [1]
    assert recorder.values == [(step, {"training/loss": step / 2}) for step in range(1, 5)]
    assert recorder.finished is True
    said = capsys.readouterr().out
    assert said == "broken failed, and the training goes on without it: ConnectionError: no answer\n"


def test_a_tracker_that_does_not_answer_holds_up_no_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blendtune_trainer.record.tracking._CLOSING_SECONDS", 0.01)
    answer = threading.Event()

    def opened() -> Tracker:
        answer.wait(60)
        return Recorder()

    trackers = Tracking({"slow": opened})
    trackers.log(1, {"training/loss": 1.0})
    trackers.close(finished=True)
    answer.set()
    assert "slow does not answer" in capsys.readouterr().out


def test_an_error_leaves_the_tracked_run_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder()
    monkeypatch.setattr("blendtune_trainer.record.tracking._TRACKERS", {Kind.WANDB: lambda _: recorder})
    with pytest.raises(KeyboardInterrupt), tracking((Kind.WANDB,), tracked_run(tmp_path)):
        raise KeyboardInterrupt
    assert recorder.finished is False


@pytest.mark.parametrize(("kind", "package"), [(Kind.MLFLOW, "mlflow-skinny"), (Kind.WANDB, "wandb")])
def test_a_missing_library_is_refused_with_what_to_install(
    kind: Kind, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == kind.value else find(name))
    with pytest.raises(BadConfiguration, match=package) as caught:
        check_libraries((Kind.TENSORBOARD, kind))
    assert caught.value.exit_code is ExitCode.BAD_CONFIGURATION
    assert caught.value.message.startswith("spec.training.tracking[1]: ")
    check_libraries((Kind.TENSORBOARD,))


def test_mlflow_goes_on_with_the_run_of_an_earlier_attempt(tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    first = MLflow(tracked_run(tmp_path))
    first.log(1, {"training/loss": 2.0, "validation/ads": 3.0})
    first.close(finished=False)
    second = MLflow(tracked_run(tmp_path, first_step=1))
    second.log(2, {"training/loss": 1.5})
    second.close(finished=True)
    client = mlflow.MlflowClient((tmp_path / "mlflow").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("blendtune").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "team/ads"
    assert run.data.params == {"training.learningRate": "3e-05", "training.adam.beta1": "0.9"}
    history = client.get_metric_history(run.info.run_id, "training/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 2.0), (2, 1.5)]


def test_wandb_keeps_the_run_offline_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    with tracking((Kind.WANDB,), tracked_run(tmp_path)) as trackers:
        trackers.log(1, {"training/loss": 2.0})
    (folder,) = (tmp_path / "wandb" / "wandb").glob("offline-run-*-uid-1")
    assert (folder / "run-uid-1.wandb").stat().st_size > 0
