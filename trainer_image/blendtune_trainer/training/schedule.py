"""The learning rate of each optimizer step."""

from __future__ import annotations

import math

from blendtune_api.v1alpha1 import Schedule, Training


def warmup_steps(training: Training, steps: int) -> int:
    """Number of warm-up steps of a training of `steps` steps."""
    return math.ceil(training.warmup_ratio * steps)


def learning_rate(training: Training, step: int, steps: int) -> float:
    """The learning rate of `step`, counted from 0, of `steps`.

    Warm-up rises linearly from above 0 and reaches the peak at the first step after it. Cosine
    (arXiv 1608.03983) and linear then fall towards `min_learning_rate_ratio` times the peak. They would reach
    it one step after the last, so that no step has a rate of 0.
    """
    warmup = warmup_steps(training, steps)
    if step < warmup:
        return training.learning_rate * (step + 1) / (warmup + 1)
    floor = training.min_learning_rate_ratio
    progress = (step - warmup) / max(1, steps - warmup)
    return training.learning_rate * (floor + (1 - floor) * _decay(training.schedule, progress))


def _decay(schedule: Schedule, progress: float) -> float:
    """Factor between 1 (peak) and 0 (floor) at `progress`, 0 to 1, of the decay."""
    match schedule:
        case Schedule.COSINE:
            return (1 + math.cos(math.pi * progress)) / 2
        case Schedule.LINEAR:
            return 1 - progress
        case Schedule.CONSTANT:
            return 1.0
