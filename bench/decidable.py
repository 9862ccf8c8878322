"""The smallest difference that each measure decides in 4 of 5 evaluations, by simulation.

A gate whose threshold is `least` passes where nothing changed. `python bench/decidable.py` prints the table
of docs/evaluation.md, in about a minute of one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from blendtune_core.resolution import ASSUMED_ROW_DEVIATION
from blendtune_core.retention import rise_interval
from blendtune_core.statistics import Sample, delta_interval

POWER = 0.8
Floats = NDArray[np.float64]


def least_drop(draw: Callable[[], Floats], trials: int) -> tuple[float, float]:
    """The margin within which 4 of 5 intervals of a drop lie, and the deviation of one difference."""
    drawn = [draw() for _ in range(trials)]
    lows = [delta_interval(Sample.of(each.tolist(), [1.0] * len(each))).low for each in drawn]
    return float(np.quantile(np.negative(lows), POWER)), float(np.mean([np.std(each) for each in drawn]))


def questions(random: np.random.Generator, count: int, criteria: int) -> Floats:
    """Differences of questions in three wordings, by a logistic mixed model in which nothing changes."""
    question, wording = random.normal(0, 1.5, (count, 1, 1)), random.normal(0, 0.7, (count, 3, 1))

    def scores() -> Floats:
        logits = 1.25 + question + wording + random.normal(0, 1.0, (count, 1, 1))
        right: Floats = (logits + random.logistic(size=(count, 3, criteria)) > 0).mean((1, 2))
        return right

    return scores() - scores()


def samples(random: np.random.Generator, count: int, changed: float) -> Floats:
    """Differences of right and wrong: `changed` of them move, as many up as down."""
    return random.choice([-1.0, 0.0, 1.0], count, p=[changed / 2, 1 - changed, changed / 2])


def rows(random: np.random.Generator, count: int, trials: int) -> float:
    """The rise within which 4 of 5 intervals of retention lie."""
    highs = []
    for _ in range(trials):
        tokens = np.maximum(1, random.lognormal(3.5, 0.6, count).astype(int)).astype(np.float64)
        rises = tokens * ASSUMED_ROW_DEVIATION * (random.gamma(4.0, 0.5, count) - 2.0)
        highs.append(rise_interval(tokens, rises).high)
    return float(np.quantile(highs, POWER))


def table(trials: int) -> Iterator[str]:
    random = np.random.default_rng(11)
    yield "| Measure | Over | Deviation of one | Decided in 4 of 5 |"
    yield "|---|---|---|---|"
    for count in (22, 45, 100, 300, 1000):
        for name, criteria in (("graded", 3), ("right or wrong", 1)):
            least, deviation = least_drop(partial(questions, random, count, criteria), trials)
            yield f"| rubric, {name} | {count:,} questions | {deviation:.2f} | {least:.3f} |"
    for count, changed in ((1319, 0.1), (1319, 0.3), (14_042, 0.1), (14_042, 0.3)):
        least, deviation = least_drop(partial(samples, random, count, changed), trials // 4)
        yield f"| benchmark, {changed:.0%} change | {count:,} samples | {deviation:.2f} | {least:.4f} |"
    for count in (22, 100, 256):
        least = rows(random, count, trials // 16)
        yield f"| retention, nats per token | {count} rows | {ASSUMED_ROW_DEVIATION:g} | {least:.3f} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400)
    for line in table(parser.parse_args().trials):
        print(line, flush=True)
