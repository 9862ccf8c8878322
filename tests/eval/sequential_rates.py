"""Simulated evaluations that may stop early: how many questions they ask, and how often they err.

`python -m tests.eval.sequential_rates --trials 400` prints the table of docs/evaluation.md; with `--rules` it
compares ways to look: with the bounds of O'Brien and Fleming or of Pocock, or at every question with a
confidence sequence by betting. Two gates are to be decided: a general maxDrop and an in-domain minGain, of
0.1 each. The worlds are those of `error_rates`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, log
from statistics import NormalDist

import numpy as np
from tests.eval.error_rates import GENERAL, IN_DOMAIN, WORLDS, Floats, draw

from blendtune_api.v1alpha1 import GateResult
from blendtune_core.compared_gates import decided
from blendtune_core.sequential import LOOKS, ONLY_LOOK, Look, looks
from blendtune_core.statistics import Sample, delta_interval, delta_p_value

SIZES = (45, 100, 300, 1000)  # questions of each domain
MARGIN = 0.1  # of both gates
OPEN = GateResult.INCONCLUSIVE


@dataclass(frozen=True, slots=True)
class Truth:
    """The drop of the general score and the gain of the in-domain score."""

    drop: float
    gain: float

    @property
    def bars(self) -> tuple[float, float]:
        """What the deltas are compared with: general, in-domain."""
        return -MARGIN, MARGIN

    @property
    def deltas(self) -> tuple[float, float]:
        return -self.drop, self.gain

    @property
    def worlds(self) -> tuple[str, ...]:
        """Those in which enough questions change for it."""
        return tuple(
            name
            for name, world in WORLDS.items()
            if self.drop / (1 - world.kept) < GENERAL and self.gain / (1 - world.kept) < 1 - IN_DOMAIN
        )

    def is_wrong(self, domain: int, result: GateResult) -> bool:
        """Whether a decision is wrong; at the edge, where the truth is the threshold, each is."""
        beyond = self.deltas[domain] - self.bars[domain]
        if abs(beyond) < 1e-9:
            return result is not OPEN
        return result is (GateResult.FAILED if beyond > 0 else GateResult.PASSED)


TRUTHS: Mapping[str, Truth] = {
    "learned, nothing lost": Truth(0.0, 0.3),
    "learned, half of what may be lost": Truth(0.05, 0.3),
    "learned, all that may be lost": Truth(0.1, 0.3),
    "learned and forgot": Truth(0.2, 0.3),
    "nothing changed": Truth(0.0, 0.0),
    "at both thresholds": Truth(0.1, 0.1),
}


COMPARED = ("learned, nothing lost", "learned, half of what may be lost", "learned and forgot")


@dataclass(frozen=True, slots=True)
class Looking:
    """After how many of the questions (shares) one looks, and the level of the intervals then."""

    shares: tuple[float, ...]
    levels: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Sums over trials. `held` and `wrong` are by domain, at the stop."""

    trials: int = 0
    asked: float = 0.0
    decided: int = 0
    held: Counter[int] = field(default_factory=Counter)
    wrong: Counter[int] = field(default_factory=Counter)
    alarms: int = 0  # a significant difference of a domain whose score did not change

    @property
    def share(self) -> float:
        return self.asked / self.trials

    @property
    def error(self) -> float:
        return max(self.wrong.values(), default=0) / self.trials

    @property
    def coverage(self) -> float:
        return min(self.held.values(), default=0) / self.trials

    def __add__(self, other: Rates) -> Rates:
        return Rates(
            trials=self.trials + other.trials,
            asked=self.asked + other.asked,
            decided=self.decided + other.decided,
            held=self.held + other.held,
            wrong=self.wrong + other.wrong,
            alarms=self.alarms + other.alarms,
        )


def ours(plan: Sequence[Look]) -> Looking:
    return Looking(tuple(look.number / look.of for look in plan), tuple(look.level() for look in plan))


EVERY = ours([ONLY_LOOK])
FIVE = ours([look for look, _ in looks(1)])


def drawn(random: np.random.Generator, world: str, size: int, truth: Truth) -> tuple[Floats, Floats]:
    """The differences of general and of in-domain questions. [size] each"""
    general = draw(random, size, GENERAL, -truth.drop, WORLDS[world])
    domain = draw(random, size, IN_DOMAIN, truth.gain, WORLDS[world])
    return (general[1] - general[0]).mean(1), (domain[1] - domain[0]).mean(1)


def sample(values: Floats) -> Sample:
    return Sample(values, np.ones(len(values)), np.zeros(len(values), np.int64))


def stop(deltas: tuple[Floats, Floats], truth: Truth, looking: Looking) -> Rates:
    """One trial: looks until both gates are decided."""
    size = len(deltas[0])
    for number, (share, level) in enumerate(zip(looking.shares, looking.levels, strict=True), start=1):
        seen = [sample(values[: ceil(size * share - 1e-9)]) for values in deltas]
        intervals = [delta_interval(each, level) for each in seen]
        results = [decided(each.low, each.high, bar) for each, bar in zip(intervals, truth.bars, strict=True)]
        if OPEN not in results or number == len(looking.levels):
            break
    look = Look(number, len(looking.levels))
    unchanged = [each for each, delta in zip(seen, truth.deltas, strict=True) if delta == 0]
    alarms = [look.p_value(delta_p_value(each)) <= 0.05 / len(unchanged) for each in unchanged]
    return Rates(
        trials=1,
        asked=share,
        decided=OPEN not in results,
        held=Counter(
            index
            for index, (each, delta) in enumerate(zip(intervals, truth.deltas, strict=True))
            if each.low - 1e-9 <= delta <= each.high + 1e-9
        ),
        wrong=Counter(index for index, result in enumerate(results) if truth.is_wrong(index, result)),
        alarms=int(any(alarms)),
    )


def simulate(world: str, size: int, truth: Truth, trials: int, looking: Looking = FIVE) -> Rates:
    random = np.random.default_rng([list(WORLDS).index(world), size, *_seed(truth)])
    total = Rates()
    for _ in range(trials):
        total += stop(drawn(random, world, size, truth), truth, looking)
    return total


def _seed(truth: Truth) -> tuple[int, int]:
    return round(truth.drop * 100), round(truth.gain * 100)


def betting(values: Floats, bar: float) -> tuple[int | None, GateResult]:
    """After how many questions a bet against the threshold has won, and the decision; None if it never has.

    The hedged capital of Waudby-Smith and Ramdas (2024, Journal of the Royal Statistical Society B 86:1),
    with predictable plug-in bets that are tuned to the whole number of questions, at 5% for both sides.
    """
    scaled, mean, n = (values + 1) / 2, (bar + 1) / 2, len(values)
    counts = np.arange(1, n + 1)
    means = (0.5 + np.cumsum(scaled)) / (counts + 1)
    variances = (0.25 + np.cumsum((scaled - means) ** 2)) / (counts + 1)
    before = np.concatenate([[0.25], variances[:-1]])
    bets = np.sqrt(2 * log(2 / 0.05) / (before * n))
    for_more = np.cumsum(np.log1p(np.minimum(bets, 0.5 / mean) * (scaled - mean)))
    for_less = np.cumsum(np.log1p(-np.minimum(bets, 0.5 / (1 - mean)) * (scaled - mean)))
    won = [np.flatnonzero(each >= log(2 / 0.05)) for each in (for_more, for_less)]
    first = [int(each[0]) + 1 if len(each) else n + 1 for each in won]
    if min(first) > n:
        return None, OPEN
    return min(first), GateResult.PASSED if first[0] < first[1] else GateResult.FAILED


def simulate_betting(world: str, size: int, truth: Truth, trials: int) -> Rates:
    random = np.random.default_rng([list(WORLDS).index(world), size, *_seed(truth)])
    total = Rates()
    for _ in range(trials):
        deltas = drawn(random, world, size, truth)
        found = [betting(values, bar) for values, bar in zip(deltas, truth.bars, strict=True)]
        times = [time for time, _ in found if time is not None]
        wrong = Counter(index for index, (_, each) in enumerate(found) if truth.is_wrong(index, each))
        all_decided = len(times) == len(found)
        share = max(times) / size if all_decided else 1.0
        total += Rates(trials=1, asked=share, decided=all_decided, wrong=wrong)
    return total


def pocock(of: int) -> Looking:
    """Looks with one critical value, found by walks (Pocock 1977, Biometrika 64:191)."""
    walks = np.random.default_rng(1).standard_normal((200_000, of)).cumsum(1)
    farthest = np.abs(walks / np.sqrt(np.arange(1, of + 1))).max(1)
    level = 2 * NormalDist().cdf(float(np.quantile(farthest, 0.95))) - 1
    return Looking(tuple(number / of for number in range(1, of + 1)), (level,) * of)


def pooled(parts: Sequence[Rates]) -> Rates:
    return sum(parts[1:], parts[0])


def table(trials: int) -> Iterator[str]:
    """For each size and truth: the share of questions asked, and the errors; over all worlds."""
    yield "| Questions | What is true | Asked | Decided | Decided by all | Wrong | Intervals hold the truth |"
    yield "|---|---|---|---|---|---|---|"
    for size in SIZES:
        for name, truth in TRUTHS.items():
            found, plain = (
                pooled([simulate(world, size, truth, trials, looking) for world in truth.worlds])
                for looking in (FIVE, EVERY)
            )
            yield (
                f"| {size:,} | {name} | {found.share:.0%} | {found.decided / found.trials:.0%} | "
                f"{plain.decided / plain.trials:.0%} | {found.error:.1%} | {found.coverage:.1%} |"
            )


def rules(trials: int) -> Iterator[str]:
    """The share of questions asked, and how often both gates are decided, by each way to look."""
    ways = {
        "all at once": EVERY,
        f"O'Brien and Fleming, {LOOKS} looks": FIVE,
        "the same, 10 looks": ours([Look(number, 10) for number in range(1, 11)]),
        f"Pocock, {LOOKS} looks": pocock(LOOKS),
    }
    yield f"| Questions | What is true | {' | '.join(ways)} | betting |"
    yield "|---" * (len(ways) + 3) + "|"
    for size in SIZES:
        for name in COMPARED:
            truth = TRUTHS[name]
            found = [
                pooled([simulate(world, size, truth, trials, looking) for world in truth.worlds])
                for looking in ways.values()
            ]
            found.append(pooled([simulate_betting(world, size, truth, trials) for world in truth.worlds]))
            cells = (f"{each.share:.0%}, {each.decided / each.trials:.0%} decided" for each in found)
            yield f"| {size:,} | {name} | {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400, help="of each world")
    parser.add_argument("--rules", action="store_true", help="compare ways to look")
    given = parser.parse_args()
    for row in rules(given.trials) if given.rules else table(given.trials):
        print(row, flush=True)
