"""Where an evaluation may stop early, its gates and intervals err no more often than they say.

The tests print their table (`pytest -s`); that with more trials is in docs/evaluation.md.
"""

from __future__ import annotations

import numpy as np
import pytest
from tests.eval.error_rates import scopes_of, tolerance, trial
from tests.eval.sequential_rates import (
    EVERY,
    FIVE,
    SIZES,
    TRUTHS,
    Looking,
    Rates,
    pooled,
    simulate,
    stop,
)

from blendtune_api.v1alpha1 import Gate, Metric
from blendtune_core.asked import open_gates
from blendtune_core.sequential import looks

TRIALS = {45: 60, 100: 50, 300: 40, 1000: 20}  # of each world
MOST_ERRORS, LEAST = 0.05, 0.93


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", TRUTHS)
def test_stopping_early_errs_no_more_often(name: str, size: int) -> None:
    found = over_worlds(name, size)
    shares = f"{found.share:.0%} asked | {found.error:.1%} wrong | {found.coverage:.1%} held"
    print(f"| {size:,} | {name} | {shares} |")
    chance = tolerance(MOST_ERRORS, found.trials)
    assert found.error <= MOST_ERRORS + chance
    assert found.alarms / found.trials <= MOST_ERRORS + chance
    assert found.coverage >= LEAST - tolerance(LEAST, found.trials)


@pytest.mark.parametrize("size", [300, 1000])
def test_it_saves_questions_where_the_truth_is_plain_and_few_decisions(size: int) -> None:
    name = "learned, nothing lost"
    early, plain = over_worlds(name, size), over_worlds(name, size, EVERY)
    assert early.share < 0.7
    assert early.decided / early.trials >= plain.decided / plain.trials - 0.1


def test_looking_with_plain_intervals_would_err_more_often() -> None:
    """What this simulation is able to see."""
    plain = Looking(FIVE.shares, (0.95,) * len(FIVE.levels))
    truth = TRUTHS["learned, all that may be lost"]
    found = pooled([simulate(world, 300, truth, 80, plain) for world in truth.worlds])
    assert found.error > MOST_ERRORS + tolerance(MOST_ERRORS, found.trials)


@pytest.mark.parametrize("world", TRUTHS["learned, nothing lost"].worlds)
def test_the_simulation_decides_as_the_evaluation_does(world: str) -> None:
    size, truth = 100, TRUTHS["learned, nothing lost"]
    before, after = trial(np.random.default_rng(3), world, size, truth.drop, truth.gain)
    deltas = (after - before).mean(1)
    found = stop((deltas[:size], deltas[size:]), truth, FIVE)
    gates = (Gate(metric=Metric.GENERAL, max_drop=0.1), Gate(metric=Metric.IN_DOMAIN, min_gain=0.1))
    for look, count in looks(size):
        part = [*range(count), *range(size, size + count)]
        left = open_gates(gates, scopes_of(before[part], after[part], look))
        if not left:
            break
    assert (look.number / look.of, not left) == (found.asked, bool(found.decided))


def over_worlds(name: str, size: int, looking: Looking = FIVE) -> Rates:
    truth = TRUTHS[name]
    return pooled([simulate(world, size, truth, TRIALS[size], looking) for world in truth.worlds])
