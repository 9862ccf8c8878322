"""Tells the experiment trackers of a training, without ever holding it up or ending it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread

from blendtune_api.v1alpha1 import Tracker as Kind
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.record.trackers import MLflow, TensorBoard, TrackedRun, Tracker, WeightsAndBiases

_CLOSING_SECONDS = 30.0  # how long the end of a training waits for the trackers

_TRACKERS: Mapping[Kind, Callable[[TrackedRun], Tracker]] = {
    Kind.TENSORBOARD: TensorBoard,
    Kind.MLFLOW: MLflow,
    Kind.WANDB: WeightsAndBiases,
}
# The module to look for, and the package that brings it.
_LIBRARIES = {
    Kind.TENSORBOARD: ("tensorboard", "tensorboard"),
    Kind.MLFLOW: ("mlflow", "mlflow-skinny"),
    Kind.WANDB: ("wandb", "wandb"),
}


def check_libraries(kinds: Sequence[Kind]) -> None:
    """Raises StageError where the library of a tracker is not installed."""
    for index, kind in enumerate(kinds):
        module, package = _LIBRARIES[kind]
        if importlib.util.find_spec(module) is None:
            raise BadConfiguration(
                f"spec.training.tracking[{index}]: {kind.value} needs the Python package {package}, which "
                "this image lacks. Install it in an image on top of the trainer's and name that in "
                f"spec.cluster.train.image, or take {kind.value} out of the list"
            )


class Tracking:
    """Hands values to trackers, each of which works in a thread of its own.

    A tracker that fails says so once and gets nothing more.
    """

    def __init__(self, trackers: Mapping[str, Callable[[], Tracker]]) -> None:
        self._feeds = [_Feed(name, opened) for name, opened in trackers.items()]

    def log(self, step: int, values: Mapping[str, float | None]) -> None:
        """Values after `step` optimizer steps; those that are None are left out."""
        known = {name: value for name, value in values.items() if value is not None}
        for feed in self._feeds:
            feed.put(step, known)

    def close(self, *, finished: bool) -> None:
        for feed in self._feeds:
            feed.end(finished=finished)
        for feed in self._feeds:
            feed.wait()


@contextmanager
def tracking(kinds: Sequence[Kind], run: TrackedRun) -> Iterator[Tracking]:
    """Tracks `run` while the block lasts; it has finished when the block ends without an error."""
    trackers = Tracking({kind.value: lambda kind=kind: _TRACKERS[kind](run) for kind in kinds})  # type: ignore[misc]
    finished = False
    try:
        yield trackers
        finished = True
    finally:
        trackers.close(finished=finished)


class _Feed:
    """One tracker in its thread, and the values that wait for it."""

    def __init__(self, name: str, opened: Callable[[], Tracker]) -> None:
        self._name = name
        self._open = opened
        self._waiting: SimpleQueue[tuple[int, Mapping[str, float]] | None] = SimpleQueue()
        self._finished = False
        self._thread = Thread(target=self._work, name=f"tracking by {name}", daemon=True)
        self._thread.start()

    def put(self, step: int, values: Mapping[str, float]) -> None:
        if self._thread.is_alive():
            self._waiting.put((step, values))

    def end(self, *, finished: bool) -> None:
        self._finished = finished
        self._waiting.put(None)

    def wait(self) -> None:
        self._thread.join(_CLOSING_SECONDS)
        if self._thread.is_alive():
            print(f"{self._name} does not answer: what it has not written yet is lost", flush=True)

    def _work(self) -> None:
        try:
            tracker = self._open()
            while (item := self._waiting.get()) is not None:
                tracker.log(*item)
            tracker.close(finished=self._finished)
        except Exception as error:
            print(
                f"{self._name} failed, and the training goes on without it: {type(error).__name__}: {error}",
                flush=True,
            )
