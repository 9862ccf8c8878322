"""The recommendation on response curves whose best setting is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from blendtune_api.blend_study import RecommendationVerdict
from blendtune_api.v1alpha1 import Method
from blendtune_core.statistics import Sample, mean_interval
from blendtune_core.student_t import quantile
from blendtune_operator.plan.study.observation import Interval, Observation, Setting, summarise
from blendtune_operator.plan.study.recommendation import (
    ERROR_RATE,
    Recommendation,
    pareto_front,
    recommend,
)

Floats = NDArray[np.float64]
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
TRIALS = 100
WORDINGS = 3
NORMAL = np.array([NormalDist().inv_cdf((index + 0.5) / 400) for index in range(400)])


@dataclass(frozen=True, kw_only=True)
class Curves:
    """True scores over all questions and seeds, by share; the base scores 0.1 in-domain and 0.75 in general.

    `questions` is how much they differ in difficulty and `seeds` how much runs do, both in logits.
    """

    in_domain: tuple[float, ...]
    drop: tuple[float, ...]
    max_drop: float = 0.25
    seeds: float = 0.1
    repeats: int = 2
    asked: int = 45
    questions: float = 1.5

    @property
    def allowed(self) -> set[float]:
        return {share for share, drop in zip(SHARES, self.drop, strict=True) if drop <= self.max_drop}

    @property
    def best(self) -> set[float]:
        scores = dict(zip(SHARES, self.in_domain, strict=True))
        most = max((scores[share] for share in self.allowed), default=0.0)
        return {share for share in self.allowed if scores[share] == most}


MONOTONE = Curves(in_domain=(0.1, 0.35, 0.55, 0.75, 0.9), drop=(0.0, 0.03, 0.06, 0.09, 0.12))
KNEED = Curves(in_domain=(0.1, 0.7, 0.75, 0.77, 0.78), drop=(0.0, 0.02, 0.05, 0.30, 0.55))
NOISY = Curves(in_domain=(0.1, 0.5, 0.6, 0.7, 0.75), drop=(0.0, 0.05, 0.15, 0.3, 0.4), seeds=1.2)
FLAT = Curves(in_domain=(0.4,) * 5, drop=(0.05,) * 5)
CLIFF = Curves(in_domain=(0.1, 0.4, 0.6, 0.85, 0.9), drop=(0.0, 0.1, 0.24, 0.26, 0.27))
ZIGZAG = Curves(in_domain=(0.3, 0.8, 0.2, 0.85, 0.3), drop=(0.0, 0.27, 0.0, 0.27, 0.0), seeds=0.5)
HARMFUL = Curves(in_domain=(0.2, 0.3, 0.5, 0.6, 0.7), drop=(0.5, 0.55, 0.6, 0.6, 0.65), max_drop=0.1)
PRECISE = Curves(
    in_domain=(0.1, 0.6, 0.75, 0.77, 0.78), drop=(0.0, 0.02, 0.05, 0.4, 0.5), asked=400, repeats=3
)
WORLDS = {
    "monotone": MONOTONE,
    "kneed": KNEED,
    "noisy": NOISY,
    "flat": FLAT,
    "on the bound": CLIFF,
    "zigzag": ZIGZAG,
    "harmful": HARMFUL,
    "precise": PRECISE,
}


@cache
def logit_of(mean: float, spread: float) -> float:
    """The mean of normally distributed logits of this spread whose mean probability is `mean`."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.mean(1 / (1 + np.exp(-(middle + spread * NORMAL)))) < mean:
            low = middle
        else:
            high = middle
    return low


def scores(
    curves: Curves, mean: float, difficulty: Floats, random: np.random.Generator, *, trained: bool = True
) -> Floats:
    """The scores of one run, [questions], each asked in three wordings. No seed moves an untrained model."""
    seeds = curves.seeds if trained else 0.0
    centre = logit_of(mean, float(np.hypot(curves.questions, seeds)))
    logits = centre + curves.questions * difficulty + seeds * random.normal()
    draws = random.random((len(difficulty), WORDINGS)) < 1 / (1 + np.exp(-logits[:, None]))
    return np.asarray(np.mean(draws, axis=1))


def level(values: Floats) -> Interval:
    sample = Sample.of(list(values), [1.0] * len(values))
    found = mean_interval(sample)
    return Interval(value=sample.mean, low=found.low, high=found.high)


def change(values: Floats, base: Floats) -> Interval:
    """Like the evaluation's own interval, by Student's t instead of the bootstrap.

    Two questions that moved half a point, one either way, are added.
    """
    differences, n = values - base, len(values)
    spread = np.sqrt((n * np.var(differences) + 0.5) / (n + 2) / (n - 1))
    half = quantile(0.975, n - 1) * float(spread)
    mean = float(np.mean(differences))
    return Interval(value=mean, low=mean - half, high=mean + half)


def observe(curves: Curves, random: np.random.Generator) -> list[Observation]:
    """A whole study: all runs are asked the same questions, drawn for each study."""
    general, in_domain = random.normal(size=curves.asked), random.normal(size=curves.asked)
    base = scores(curves, 0.75, general, random, trained=False)
    result = []
    for share, learned, drop in zip(SHARES, curves.in_domain, curves.drop, strict=True):
        for seed in range(curves.repeats):
            tuned = scores(curves, 0.75 - drop, general, random)
            result.append(
                Observation(
                    setting=setting(share),
                    seed=seed,
                    objective=level(scores(curves, learned, in_domain, random)),
                    constrained=level(tuned),
                    change=change(tuned, base),
                )
            )
    return result


def setting(share: float) -> Setting:
    return Setting(share=share, model="hf://org/model", epochs=1, method=Method.FULL)


@cache
def trials(name: str) -> list[Recommendation]:
    curves, random = WORLDS[name], np.random.default_rng([5, list(WORLDS).index(name)])
    return [recommend(observe(curves, random), curves.max_drop) for _ in range(TRIALS)]


def is_wrong(found: Recommendation, curves: Curves) -> bool:
    """Whether one of the claims is false: the bound is kept, and the best is among those named."""
    if found.verdict is RecommendationVerdict.NONE_ALLOWED:
        return bool(curves.allowed)
    if found.verdict is RecommendationVerdict.CANNOT_TELL or found.best is None:
        return False
    named = {summary.setting.share for summary in (found.best, *found.tied)}
    return found.best.setting.share not in curves.allowed or not curves.best <= named


def rate(name: str, verdict: RecommendationVerdict) -> float:
    return sum(found.verdict is verdict for found in trials(name)) / TRIALS


@pytest.mark.parametrize("name", WORLDS)
def test_it_is_rarely_wrong(name: str) -> None:
    wrong = sum(is_wrong(found, WORLDS[name]) for found in trials(name)) / TRIALS
    told = rate(name, RecommendationVerdict.RECOMMENDED)
    print(f"{name}: recommends in {told:.2f} of studies, wrong in {wrong:.2f}")
    assert wrong <= ERROR_RATE


@pytest.mark.parametrize(
    ("name", "verdict", "least"),
    [
        pytest.param("monotone", RecommendationVerdict.RECOMMENDED, 0.9, id="monotone"),
        pytest.param("kneed", RecommendationVerdict.RECOMMENDED, 0.8, id="kneed"),
        pytest.param("precise", RecommendationVerdict.RECOMMENDED, 0.95, id="many questions and seeds"),
        pytest.param("flat", RecommendationVerdict.CANNOT_TELL, 0.9, id="flat"),
        pytest.param("harmful", RecommendationVerdict.NONE_ALLOWED, 0.9, id="nothing is allowed"),
    ],
)
def test_it_decides_where_the_data_suffice(name: str, verdict: RecommendationVerdict, least: float) -> None:
    found = rate(name, verdict)
    print(f"{name}: {verdict} in {found:.2f}")
    assert found >= least


def test_more_questions_and_seeds_leave_fewer_settings_tied() -> None:
    def tied(name: str) -> float:
        return float(np.mean([len(found.tied) for found in trials(name)]))

    assert tied("precise") < tied("kneed")


def exact(share: float, objective: float, drop: float, error: float = 0.01, seed: int = 1) -> Observation:
    """A run with a small, symmetric error."""

    def about(value: float) -> Interval:
        return Interval(value=value, low=value - error, high=value + error)

    return Observation(
        setting=setting(share),
        seed=seed,
        objective=about(objective),
        constrained=about(0.75 - drop),
        change=about(-drop),
        gain=objective - 0.1,
        gpu_hours=2.0,
    )


def twice(share: float, objective: float, drop: float, error: float = 0.01) -> list[Observation]:
    return [exact(share, objective + 0.001 * seed, drop, error, seed) for seed in (1, 2)]


def test_without_a_run_nothing_is_recommended() -> None:
    assert recommend([], 0.1) == Recommendation(verdict=RecommendationVerdict.CANNOT_TELL, best=None)


def test_one_seed_gives_a_guess_and_no_recommendation() -> None:
    found = recommend([exact(0.25, 0.5, 0.0), exact(0.5, 0.9, 0.05), exact(0.75, 0.95, 0.3)], 0.1)
    assert found.verdict is RecommendationVerdict.CANNOT_TELL
    assert found.best is not None
    assert found.best.setting.share == 0.5


def test_the_best_allowed_setting_is_recommended_though_a_forbidden_one_scores_higher() -> None:
    found = recommend([*twice(0.25, 0.5, 0.0), *twice(0.5, 0.8, 0.05), *twice(1.0, 0.95, 0.4)], 0.1)
    assert found.verdict is RecommendationVerdict.RECOMMENDED
    assert found.best is not None
    assert found.best.setting.share == 0.5
    assert [summary.setting.share for summary in found.excluded] == [1.0]
    assert found.tied == ()


def test_a_setting_that_may_break_the_bound_is_named_as_a_rival() -> None:
    rival = twice(0.75, 0.95, 0.099, error=0.05)
    found = recommend([*twice(0.25, 0.3, 0.0), *twice(0.5, 0.8, 0.0), *rival], 0.1)
    assert found.best is not None
    assert found.best.setting.share == 0.5
    assert [summary.setting.share for summary in found.tied] == [0.75]


def test_the_front_holds_the_undominated_settings() -> None:
    observations = [
        *twice(0.0, 0.1, 0.0),
        *twice(0.5, 0.8, 0.1),
        *twice(0.75, 0.7, 0.2),
        *twice(1.0, 0.9, 0.4),
    ]
    front = pareto_front(summarise(observations))
    assert [summary.setting.share for summary in front] == [1.0, 0.5, 0.0]


def test_a_gpu_hour_is_worth_its_gain() -> None:
    (summary,) = summarise(twice(0.5, 0.9, 0.0))
    assert summary.gain_per_gpu_hour == pytest.approx(0.4, abs=1e-3)
