"""The learning rate of each optimizer step."""

from __future__ import annotations

import math

from blendtune_api.v1alpha1 import Schedule, Training


def warmup_steps(training: Training, steps: int) -> int:
    return math.ceil(training.warmup_ratio * steps)


def learning_rate(training: Training, step: int, steps: int) -> float:
    """Learning rate of `step`, counted from 0, of `steps`.

    Warm-up rises linearly and never gives a step a rate of 0; the peak stands at the first step after it.
    Cosine (arXiv 1608.03983) and linear then fall towards `min_learning_rate_ratio` times the peak, which
    they would reach one step after the last, so that no step is spent at a rate of 0.
    """
    warmup = warmup_steps(training, steps)
    if step < warmup:
        return training.learning_rate * (step + 1) / (warmup + 1)
    floor = training.min_learning_rate_ratio
    progress = (step - warmup) / max(1, steps - warmup)
    return training.learning_rate * (floor + (1 - floor) * _remaining(training.schedule, progress))


def _remaining(schedule: Schedule, progress: float) -> float:
    """Share of the way from floor to peak that is left at `progress`, 0..1, of the decay."""
    match schedule:
        case Schedule.COSINE:
            return (1 + math.cos(math.pi * progress)) / 2
        case Schedule.LINEAR:
            return 1 - progress
        case Schedule.CONSTANT:
            return 1.0
