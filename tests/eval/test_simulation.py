"""Simulated models with known true scores: intervals and verdicts are right as often as they claim.

A world says how questions are drawn: each has a chance of being answered rightly by the base model, and one
by the tuned model that is correlated with it; the answers to a question's three wordings are correlated too.
Every trial draws the questions of the built-in rubric anew, with its weights, domains and categories.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from blendtune_api.v1alpha1 import Role, ScopeScore, Verdict
from blendtune_core.statistics import (
    Floats,
    Interval,
    Sample,
    delta_interval,
    holm,
    mean_interval,
    sign_flip_p_value,
)
from blendtune_core.verdict import Direction, direction, verdict
from blendtune_eval.rubrics.loader import load_builtin

TRIALS = 1000
TRIALS_OF_CATEGORIES = 250
WORDINGS = 3
LEAST, MOST, LEAST_OF_CATEGORIES = 0.92, 0.99, 0.88
MOST_FALSE_ALARMS = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """Mean chances of a right answer, and how they spread.

    A question's chance is drawn from a beta distribution of that mean and `concentration`; the share
    `changed` of the questions is drawn again for the tuned model, such that its mean is met. Two wordings of
    a question are answered by one draw with chance `agreement` squared.
    """

    general: tuple[float, float]  # base, tuned
    in_domain: tuple[float, float]
    concentration: float
    changed: float
    agreement: float


WORLDS = {
    "nothing changes": World(
        general=(0.6, 0.6), in_domain=(0.3, 0.3), concentration=2, changed=0.4, agreement=0.7
    ),
    "all hard or easy": World(
        general=(0.7, 0.7), in_domain=(0.2, 0.2), concentration=0.5, changed=0.5, agreement=0.9
    ),
    "noisy answers": World(
        general=(0.5, 0.5), in_domain=(0.4, 0.4), concentration=8, changed=0.3, agreement=0.2
    ),
    "learned and kept": World(
        general=(0.7, 0.68), in_domain=(0.2, 0.7), concentration=1, changed=0.7, agreement=0.8
    ),
    "learned and forgot": World(
        general=(0.8, 0.5), in_domain=(0.1, 0.75), concentration=1, changed=0.8, agreement=0.8
    ),
    "learned a little": World(
        general=(0.7, 0.7), in_domain=(0.3, 0.4), concentration=2, changed=0.3, agreement=0.6
    ),
}
NULL_WORLDS = ("nothing changes", "all hard or easy", "noisy answers")


class Questions:
    """Weights and membership of the rubric's questions, [questions]."""

    def __init__(self) -> None:
        questions = load_builtin("business45").questions
        self.weights = np.array([question.weight for question in questions])
        self.is_general = np.array([question.domain is Role.GENERAL for question in questions])
        categories = np.array([question.category for question in questions])
        self.domains = {"general": self.is_general, "inDomain": ~self.is_general}
        self.scopes = {"overall": np.ones(len(questions), dtype=bool), **self.domains}
        self.categories = {name: categories == name for name in sorted(set(categories))}


QUESTIONS = Questions()


@dataclass(frozen=True, slots=True)
class Trials:
    """Scores of base and tuned model, [trials, questions], and the true means behind them, [questions]."""

    base: Floats
    tuned: Floats
    true_base: Floats
    true_tuned: Floats


@cache
def simulate(name: str) -> Trials:
    world, random = WORLDS[name], np.random.default_rng([7, list(WORLDS).index(name)])
    size = (TRIALS, len(QUESTIONS.weights))
    base, tuned = (
        np.where(QUESTIONS.is_general, world.general[model], world.in_domain[model]) for model in (0, 1)
    )

    def chances(mean: Floats) -> Floats:
        return random.beta(mean * world.concentration, (1 - mean) * world.concentration, size)

    def scores(chance: Floats) -> Floats:
        own, shared = random.random((*size, WORDINGS)), random.random((*size, 1))
        draws = np.where(random.random((*size, WORDINGS)) < world.agreement, shared, own)
        return np.mean(draws < chance[..., None], axis=-1)

    redrawn_mean = base + (tuned - base) / world.changed
    base_chance = chances(base)
    tuned_chance = np.where(random.random(size) < world.changed, chances(redrawn_mean), base_chance)
    return Trials(scores(base_chance), scores(tuned_chance), base, tuned)


def coverage(trials: Trials, members: Floats, count: int) -> tuple[float, float]:
    """How often the intervals contain the tuned model's true level, and its true delta."""
    weights, strata = QUESTIONS.weights[members], list(QUESTIONS.is_general[members].astype(int))
    level = np.average(trials.true_tuned[members], weights=weights)
    delta = level - np.average(trials.true_base[members], weights=weights)
    levels, deltas = 0, 0
    for base, tuned in zip(trials.base[:count, members], trials.tuned[:count, members], strict=True):
        levels += holds(mean_interval(Sample.of(list(tuned), list(weights), strata)), level)
        deltas += holds(delta_interval(Sample.of(list(tuned - base), list(weights), strata)), delta)
    return levels / count, deltas / count


def holds(interval: Interval, truth: float) -> bool:
    return interval.low <= truth <= interval.high


@pytest.mark.parametrize("name", WORLDS)
def test_intervals_hold_the_truth(name: str) -> None:
    trials = simulate(name)
    for scope, members in QUESTIONS.scopes.items():
        level, delta = coverage(trials, members, TRIALS)
        print(f"{name}: {scope} level {level:.3f}, delta {delta:.3f}")
        assert LEAST <= level <= MOST, scope
        assert LEAST <= delta <= MOST, scope


@pytest.mark.parametrize("name", WORLDS)
def test_intervals_of_categories_hold_the_truth(name: str) -> None:
    trials = simulate(name)
    for scope, members in QUESTIONS.categories.items():
        level, delta = coverage(trials, members, TRIALS_OF_CATEGORIES)
        print(f"{name}: {scope} level {level:.3f}, delta {delta:.3f}")
        assert min(level, delta) >= LEAST_OF_CATEGORIES, scope


@pytest.mark.parametrize("name", NULL_WORLDS)
def test_no_verdict_without_a_difference(name: str) -> None:
    verdicts = [verdict(*domains(name, trial), coverage=1.0) for trial in range(TRIALS)]
    rate = np.mean([found is not Verdict.INCONCLUSIVE for found in verdicts])
    print(f"{name}: false alarms {rate:.3f}")
    assert rate <= MOST_FALSE_ALARMS


def test_a_large_difference_is_found() -> None:
    found = [domains("learned and forgot", trial) for trial in range(TRIALS)]
    forgot = np.mean([direction(general) is Direction.DOWN for general, _ in found])
    learned = np.mean([direction(in_domain) is Direction.UP for _, in_domain in found])
    print(f"learned {learned:.3f}, forgot {forgot:.3f}")
    assert learned > 0.95
    assert forgot > 0.5


def domains(name: str, trial: int) -> list[ScopeScore]:
    """The general and the in-domain score of a trial, with the fields that a verdict depends on."""
    trials = simulate(name)
    deltas = trials.tuned[trial] - trials.base[trial]
    samples = {
        scope: Sample.of(list(deltas[members]), list(QUESTIONS.weights[members]))
        for scope, members in QUESTIONS.domains.items()
    }
    p_values = holm({scope: sign_flip_p_value(sample) for scope, sample in samples.items()})
    return [
        ScopeScore(name=scope, delta=sample.mean, p_value=p_values[scope])
        for scope, sample in samples.items()
    ]
