"""The paths of a run's files within the claims (PersistentVolumeClaims)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from blendtune_api.v1alpha1 import Storage


@dataclass(frozen=True, slots=True)
class Workspace:
    """The paths of a run's files. `root` is the run's own folder within its claim."""

    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock.json"

    @property
    def rubric(self) -> Path:
        """The checked rubric as JSON. The blend Job searches the training rows for its wordings."""
        return self.root / "rubric.json"

    @property
    def bad_rows(self) -> Path:
        """One JSON line per row that cannot be learnt from: source, place, reason, message."""
        return self.root / "bad_rows.jsonl"

    def rehearsed(self, source: str) -> Path:
        """The rows that the base model has written for a source self://."""
        return self.root / "rehearse" / f"{source}.jsonl"

    @property
    def blend(self) -> Path:
        return self.root / "blend"

    @property
    def train(self) -> Path:
        return self.root / "train"

    @property
    def checkpoints(self) -> Path:
        return self.train / "checkpoints"

    @property
    def steps_log(self) -> Path:
        """One JSON line per optimizer step: step, loss, learningRate, gradNorm, tokens, seconds, ranks."""
        return self.train / "steps.jsonl"

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def adapter(self) -> Path:
        """The LoRA adapter as peft saves it; `model` is the base model with the adapter merged in."""
        return self.root / "adapter"

    def epoch(self, number: int) -> Workspace:
        """The folder with `model` and `adapter` as they were after epoch `number`, counted from 1."""
        return Workspace(self.root / "epochs" / str(number))

    def interpolated(self, weight: float) -> Workspace:
        """The folder with `model` and `adapter` between the base model and the tuned one at a weight."""
        return Workspace(self.root / "interpolated" / f"{weight!r}")

    @property
    def evaluation(self) -> Path:
        return self.root / "eval"

    def result(self, stage: str) -> Path:
        """The file in which a stage keeps its result: the same JSON as its termination message."""
        return self.root / stage / "result.json"


def storage_path(storage: Storage, namespace: str, name: str) -> PurePosixPath:
    """Path of a run's workspace, relative to the folder in which the claims are mounted."""
    return PurePosixPath(storage.persistent_volume_claim) / (storage.path or f"{namespace}/{name}")


def benchmarks_folder(claims: Path, storage: Storage) -> Path:
    """The folder of benchmark tasks and their data, shared by all runs that use the claim."""
    return claims / storage.persistent_volume_claim / "benchmarks"


def workspace(claims: Path, storage: Storage, namespace: str, name: str) -> Workspace:
    return Workspace(claims / storage_path(storage, namespace, name))
