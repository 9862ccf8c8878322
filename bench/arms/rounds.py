"""Rounds in which the arms of a bench take turns, and what one arm's rate is by another's."""

from __future__ import annotations

import sys

import numpy as np

from arms.turns import Arm


def interleave(arms: list[Arm], rounds: int, steps: int, warm_up_steps: int) -> None:
    """Every arm warms up, then takes `steps` in each round; who begins changes by the round."""
    for arm in arms:
        arm.start()
    for arm in arms:
        arm.take(warm_up_steps)
    for number in range(rounds):
        shift = number % len(arms)
        for arm in arms[shift:] + arms[:shift]:
            turn = arm.take(steps)
            arm.turns.append(turn)
            rate = turn["tokens"] / turn["seconds"]
            print(f"round {number + 1}/{rounds} {arm.name}: {rate:.0f} tokens/s", file=sys.stderr, flush=True)
    for arm in arms:
        arm.end()


def rates(arm: Arm, clock: str = "seconds") -> list[float]:
    return [turn["tokens"] / turn[clock] for turn in arm.turns]


def ratio(ours: Arm, theirs: Arm, clock: str = "seconds") -> dict[str, float]:
    """Median over the rounds of our rate by theirs, with a 95% interval (bootstrap over the rounds)."""
    by_round = np.array(rates(ours, clock)) / np.array(rates(theirs, clock))
    draw = np.random.default_rng(0)
    medians = np.median(draw.choice(by_round, (10_000, len(by_round))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return {"median": float(np.median(by_round)), "low": float(low), "high": float(high)}


def interval(ratio: dict[str, float] | None) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else ""
