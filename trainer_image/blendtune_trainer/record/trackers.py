"""The experiment trackers. The library of each one is imported when the tracker is opened."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from blendtune_api.v1alpha1 import Tracker as Kind
from blendtune_trainer.flatten import flatten


@dataclass(frozen=True, kw_only=True, slots=True)
class TrackedRun:
    """The run as trackers see it."""

    uid: str
    name: str
    settings: Mapping[str, Any]
    folder: Path  # for the files of trackers that write locally
    first_step: int  # steps after it will be logged, possibly a second time

    def folder_of(self, kind: Kind) -> Path:
        """The folder of one tracker, which is created."""
        folder = self.folder / kind.value
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class Tracker(Protocol):
    """An open experiment tracker."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Logs values after `step` optimizer steps."""

    def close(self, *, finished: bool) -> None:
        """Closes the tracker. `finished` is false if another attempt may continue the run."""


class TensorBoard:
    """Event files in the workspace. If a step was logged twice, TensorBoard shows the later values."""

    def __init__(self, run: TrackedRun) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(
            str(run.folder_of(Kind.TENSORBOARD)), purge_step=run.first_step + 1, flush_secs=30
        )
        self._writer.add_text(
            "settings", f"```\n{json.dumps(run.settings, indent=2)}\n```", run.first_step + 1
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, *, finished: bool) -> None:  # noqa: ARG002
        self._writer.close()


class MLflow:
    """A run on the server in MLFLOW_TRACKING_URI or, if that is unset, in files in the workspace.

    A further attempt continues the run that is tagged with the same UID.
    """

    def __init__(self, run: TrackedRun) -> None:
        from mlflow import MlflowClient

        folder = run.folder_of(Kind.MLFLOW)
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # SQLite is unsafe on a shared volume
        self._client: Any = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or folder.as_uri())
        self._id = self._find_run(run) or self._create_run(run)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def close(self, *, finished: bool) -> None:
        self._client.set_terminated(self._id, "FINISHED" if finished else "KILLED")

    def _find_run(self, run: TrackedRun) -> str | None:
        found = self._client.search_runs([self._experiment()], f"tags.`blendtune.uid` = '{run.uid}'")
        if not found:
            return None
        self._client.update_run(found[0].info.run_id, status="RUNNING")
        return str(found[0].info.run_id)

    def _create_run(self, run: TrackedRun) -> str:
        from mlflow.entities import Param

        created = self._client.create_run(
            self._experiment(), run_name=run.name, tags={"blendtune.uid": run.uid}
        )
        params = [Param(path, str(value)) for path, value in flatten(run.settings)]
        for start in range(0, len(params), 100):  # MLflow's limit of a batch
            self._client.log_batch(created.info.run_id, params=params[start : start + 100])
        return str(created.info.run_id)

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "blendtune")
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))


class WeightsAndBiases:
    """A W&B run: online if WANDB_API_KEY is set, else offline in the workspace, for `wandb sync`."""

    def __init__(self, run: TrackedRun) -> None:
        import wandb

        mode: Any = os.environ.get("WANDB_MODE") or (
            "online" if os.environ.get("WANDB_API_KEY") else "offline"
        )
        self._run: Any = wandb.init(
            id=run.uid,
            name=run.name,
            project=os.environ.get("WANDB_PROJECT", "blendtune"),
            dir=str(run.folder_of(Kind.WANDB)),
            config=dict(run.settings),
            mode=mode,
            resume="allow",
            settings=wandb.Settings(console="off", silent=True, disable_git=True, disable_code=True),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self, *, finished: bool) -> None:
        self._run.finish(exit_code=0 if finished else 1)
