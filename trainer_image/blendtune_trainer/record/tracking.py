"""Sends values to the experiment trackers without delaying the training; a failing tracker never ends it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread

from blendtune_api.v1alpha1 import Tracker as Kind
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.record.trackers import MLflow, TensorBoard, TrackedRun, Tracker, WeightsAndBiases

_CLOSING_SECONDS = 30.0  # how long the end of the training waits for each tracker

_TRACKERS: Mapping[Kind, Callable[[TrackedRun], Tracker]] = {
    Kind.TENSORBOARD: TensorBoard,
    Kind.MLFLOW: MLflow,
    Kind.WANDB: WeightsAndBiases,
}
# The module to import, and the package that contains it.
_LIBRARIES = {
    Kind.TENSORBOARD: ("tensorboard", "tensorboard"),
    Kind.MLFLOW: ("mlflow", "mlflow-skinny"),
    Kind.WANDB: ("wandb", "wandb"),
}


def check_libraries(kinds: Sequence[Kind]) -> None:
    """Raises BadConfiguration if the library of a tracker is not installed."""
    for index, kind in enumerate(kinds):
        module, package = _LIBRARIES[kind]
        if importlib.util.find_spec(module) is None:
            raise BadConfiguration(
                f"spec.training.tracking[{index}]: {kind.value} needs the Python package {package}, which "
                "this image lacks. Install it in an image on top of the trainer's and name that in "
                f"spec.cluster.train.image, or take {kind.value} out of the list"
            )


class Tracking:
    """Sends values to trackers, each of which runs in a thread of its own.

    `trackers` maps names to functions that open a tracker. If a tracker fails, this is printed once and the
    tracker gets no further values.
    """

    def __init__(self, trackers: Mapping[str, Callable[[], Tracker]]) -> None:
        self._threads = [_TrackerThread(name, open_tracker) for name, open_tracker in trackers.items()]

    def log(self, step: int, values: Mapping[str, float | None]) -> None:
        """Logs values after `step` optimizer steps, except those that are None."""
        known = {name: value for name, value in values.items() if value is not None}
        for thread in self._threads:
            thread.put(step, known)

    def close(self, *, finished: bool) -> None:
        """Closes the trackers, and waits for each of them for a limited time."""
        for thread in self._threads:
            thread.end(finished=finished)
        for thread in self._threads:
            thread.join()


@contextmanager
def tracking(kinds: Sequence[Kind], run: TrackedRun) -> Iterator[Tracking]:
    """Tracks `run` during the block. The run counts as finished if the block ends without an error."""
    trackers = Tracking({kind.value: lambda kind=kind: _TRACKERS[kind](run) for kind in kinds})  # type: ignore[misc]
    finished = False
    try:
        yield trackers
        finished = True
    finally:
        trackers.close(finished=finished)


class _TrackerThread:
    """A thread that opens a tracker and logs the queued values."""

    def __init__(self, name: str, open_tracker: Callable[[], Tracker]) -> None:
        self._name = name
        self._open = open_tracker
        self._queue: SimpleQueue[tuple[int, Mapping[str, float]] | None] = SimpleQueue()
        self._finished = False
        self._thread = Thread(target=self._run, name=f"tracking by {name}", daemon=True)
        self._thread.start()

    def put(self, step: int, values: Mapping[str, float]) -> None:
        if self._thread.is_alive():
            self._queue.put((step, values))

    def end(self, *, finished: bool) -> None:
        self._finished = finished
        self._queue.put(None)

    def join(self) -> None:
        self._thread.join(_CLOSING_SECONDS)
        if self._thread.is_alive():
            print(f"{self._name} does not answer: what it has not written yet is lost", flush=True)

    def _run(self) -> None:
        try:
            tracker = self._open()
            while (item := self._queue.get()) is not None:
                tracker.log(*item)
            tracker.close(finished=self._finished)
        except Exception as error:
            print(
                f"{self._name} failed, and the training goes on without it: {type(error).__name__}: {error}",
                flush=True,
            )
