"""The learning rate by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_api.v1alpha1 import Schedule, Training
from blendtune_trainer.training.schedule import learning_rate, warmup_steps

PEAK = 1e-4


@pytest.mark.parametrize(
    ("schedule", "floor", "step", "share"),
    [
        pytest.param(Schedule.COSINE, 0, 0, 1 / 11, id="warm-up does not start at zero"),
        pytest.param(Schedule.COSINE, 0, 9, 10 / 11, id="last step of warm-up"),
        pytest.param(Schedule.COSINE, 0, 10, 1, id="peak"),
        pytest.param(Schedule.COSINE, 0, 55, 0.5, id="cosine half-way"),
        pytest.param(Schedule.COSINE, 0.2, 55, 0.6, id="cosine half-way above a floor"),
        pytest.param(Schedule.LINEAR, 0, 55, 0.5, id="linear half-way"),
        pytest.param(Schedule.LINEAR, 0.1, 100, 0.1, id="floor one step after the last"),
        pytest.param(Schedule.CONSTANT, 0, 99, 1, id="constant"),
    ],
)
def test_share_of_the_peak(schedule: Schedule, floor: float, step: int, share: float) -> None:
    training = Training(
        learning_rate=PEAK, schedule=schedule, warmup_ratio=0.1, min_learning_rate_ratio=floor
    )
    assert learning_rate(training, step, 100) == pytest.approx(PEAK * share)


@given(
    schedule=st.sampled_from(Schedule),
    warmup=st.floats(0, 0.99),
    floor=st.floats(0, 1),
    steps=st.integers(1, 500),
)
def test_rises_then_never_rises_again(schedule: Schedule, warmup: float, floor: float, steps: int) -> None:
    training = Training(
        learning_rate=PEAK, schedule=schedule, warmup_ratio=warmup, min_learning_rate_ratio=floor
    )
    rates = [learning_rate(training, step, steps) for step in range(steps)]
    top = min(warmup_steps(training, steps), steps - 1)
    assert all(0 < rate <= PEAK * (1 + 1e-9) for rate in rates)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
