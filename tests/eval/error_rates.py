"""Simulated evaluations with known truth: how often intervals hold it, and gates, verdict and diagnosis err.

`python -m tests.eval.error_rates --trials 1000` prints the table; the tests run fewer. Trials take the scores
of questions straight to the scopes, as `analyse` does; that both agree is tested.

A question is answered rightly where level + question + question by model + wording + noise > 0, in logits: a
logistic mixed model, so that wordings, questions and models correlate. In the world `adapter` four questions
of five keep their very answers, as after a training that changes little.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import (
    DiagnosisVerdict,
    EvaluationDigests,
    EvaluationSummary,
    Gate,
    GateResult,
    Metric,
    Role,
    ScopeScore,
    Verdict,
)
from blendtune_core.diagnosis import Trained, diagnose
from blendtune_core.gates import judge_gates, verdict_of
from blendtune_core.interpolation import best, candidate
from blendtune_core.paired_scores import PairedValue, PairedValues, corrected
from blendtune_core.power import level_of
from blendtune_core.sequential import ONLY_LOOK, Look
from blendtune_eval.rubric import Fact, Question
from blendtune_eval.scoring.analyse import analyse
from blendtune_eval.scoring.score import QuestionScore, WordingScore

Floats = NDArray[np.float64]
SIZES = (22, 45, 100, 300, 1000)  # questions of each domain
WORDINGS = 3
GENERAL, IN_DOMAIN = 0.7, 0.3  # the base model's levels
MARGIN = 0.1  # the drop that is harmless, and that edge scenarios have
_GRID = np.array([NormalDist().inv_cdf((index + 0.5) / 1000) for index in range(1000)])


@dataclass(frozen=True, kw_only=True)
class World:
    """Standard deviations in logits, criteria of an answer, and the share of questions that do not change."""

    question: float = 1.5
    by_model: float = 1.0
    wording: float = 0.7
    criteria: int = 1
    kept: float = 0.0
    gain: float = 0.3  # in-domain, in the edge scenario

    @property
    def deviation(self) -> float:
        return sqrt(self.question**2 + self.by_model**2 + self.wording**2)


WORLDS: Mapping[str, World] = {
    "graded": World(criteria=3),
    "zero-one": World(),
    "steady": World(question=5.0, by_model=2.5),
    "adapter": World(question=3.0, by_model=2.0, kept=0.8, gain=0.1),
}


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Counts over trials: intervals that held the truth, decisions that were wrong."""

    trials: int
    held: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)

    def coverage(self, name: str) -> float:
        return self.held[name] / self.trials

    def error(self, name: str) -> float:
        return self.wrong[name] / self.trials


@cache
def _level(target: float, world: World) -> float:
    """The logits at which a share `target` of all answers is right."""
    low, high = -60.0, 60.0
    for _ in range(50):
        middle = (low + high) / 2
        share = float(np.mean(1 / (1 + np.exp(-(middle + world.deviation * _GRID)))))
        low, high = (middle, high) if share < target else (low, middle)
    return low


def draw(
    random: np.random.Generator, n: int, base: float, change: float, world: World
) -> tuple[Floats, Floats]:
    """Scores of base and tuned model, [n, WORDINGS]; the mean over all questions changes by `change`."""
    question = random.standard_normal((n, 1, 1)) * world.question
    wording = random.standard_normal((n, WORDINGS, 1)) * world.wording

    def answers(target: float) -> Floats:
        own = random.standard_normal((n, 1, 1)) * world.by_model
        noise = random.logistic(size=(n, WORDINGS, world.criteria))
        right: Floats = (_level(target, world) + question + own + wording + noise > 0).mean(-1)
        return right

    before, after = answers(base), answers(base + change / (1 - world.kept))
    return before, np.where(random.random((n, 1)) < world.kept, before, after)


def scopes_of(before: Floats, after: Floats, look: Look = ONLY_LOOK) -> EvalResult:
    """The scores of the domains and of both, by the means over wordings of [2 * size, WORDINGS]."""
    size, means = len(after) // 2, (after.mean(1).tolist(), before.mean(1).tolist())
    strata = [0] * size + [1] * size
    pairs = [
        PairedValue(model=model, baseline=baseline, stratum=stratum)
        for model, baseline, stratum in zip(*means, strata, strict=True)
    ]
    parts = {"overall": pairs, "general": pairs[:size], "inDomain": pairs[size:]}
    values = {name: PairedValues(questions=part, look=look) for name, part in parts.items()}
    scores = {name: value.tested(value.score(name)) for name, value in values.items()}
    general, in_domain = corrected([scores["general"], scores["inDomain"]])
    return EvalResult(
        overall=scores["overall"],
        general=general,
        in_domain=in_domain,
        dimensions=(),
        categories=(),
        coverage=1.0,
        digests=EvaluationDigests(),
    )


def analysed(before: Floats, after: Floats) -> EvalResult:
    """The same by the evaluation's own analysis, which takes much longer."""
    size = len(after) // 2
    criteria = (Fact(name="fact", any_of=("x",)),)
    questions = [
        Question(
            id=f"{domain}-{index}", category="c", domain=domain, prompt="p", reference="r", criteria=criteria
        )
        for domain in (Role.GENERAL, Role.IN_DOMAIN)
        for index in range(size)
    ]

    def scored(scores: Floats) -> list[QuestionScore]:
        return [
            QuestionScore(question=question, wordings=tuple(WordingScore(score=value) for value in row))
            for question, row in zip(questions, scores.tolist(), strict=True)
        ]

    return analyse((), scored(after), scored(before))


def trial(
    random: np.random.Generator, name: str, size: int, drop: float, gain: float
) -> tuple[Floats, Floats]:
    """Scores of base and tuned model, general questions first. [2 * size, WORDINGS]"""
    world = WORLDS[name]
    general, domain = draw(random, size, GENERAL, -drop, world), draw(random, size, IN_DOMAIN, gain, world)
    return np.vstack([general[0], domain[0]]), np.vstack([general[1], domain[1]])


def edge_gates(drop: float, gain: float) -> tuple[Gate, ...]:
    """Gates whose thresholds are the truth itself: there each may err in 1 of 40 cases, to either side."""
    return (
        Gate(metric=Metric.GENERAL, max_drop=drop),
        Gate(metric=Metric.IN_DOMAIN, min_gain=gain),
        Gate(metric=Metric.GENERAL, min_score=GENERAL - drop),
        Gate(metric=Metric.IN_DOMAIN, min_score=IN_DOMAIN + gain),
    )


def simulate(name: str, size: int, trials: int, *, edge: bool) -> Rates:
    """Without `edge` nothing changes. With it the domain is learned, and as much is lost as is harmless."""
    drop, gain = (MARGIN, WORLDS[name].gain) if edge else (0.0, 0.0)
    random = np.random.default_rng([list(WORLDS).index(name), size, int(edge)])
    gates = edge_gates(drop, gain) if edge else ()
    truth = {
        "overall": (GENERAL - drop + IN_DOMAIN + gain, gain - drop),
        "general": (2 * (GENERAL - drop), -2 * drop),
        "inDomain": (2 * (IN_DOMAIN + gain), 2 * gain),
    }
    rates = Rates(trials=trials)
    for _ in range(trials):
        result = scopes_of(*trial(random, name, size, drop, gain))
        rates.held.update(_held(result, truth))
        rates.wrong.update(_wrong(result, gates, edge=edge))
    return rates


def _held(result: EvalResult, truth: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    for scope in _scopes(result):
        level, delta = (value / 2 for value in truth[scope.name])
        if _holds(scope.low, scope.high, level):
            yield f"{scope.name} level"
        if _holds(scope.delta_low, scope.delta_high, delta):
            yield f"{scope.name} delta"


def _scopes(result: EvalResult) -> tuple[ScopeScore, ...]:
    return result.overall, result.general, result.in_domain


def _holds(low: float | None, high: float | None, truth: float) -> bool:
    return low is not None and high is not None and low - 1e-9 <= truth <= high + 1e-9


def _wrong(result: EvalResult, gates: Sequence[Gate], *, edge: bool) -> Iterator[str]:
    judged = judge_gates(gates, result)
    for index, gate in enumerate(judged):
        if gate.result is not GateResult.INCONCLUSIVE:
            yield f"{gate.result} {index} {gate.subject} {gate.rule}"
    verdict, diagnosis = verdict_of(result, judged), diagnose(result, judged, Trained()).verdict
    if verdict is Verdict.IMPROVED if edge else verdict is not Verdict.INCONCLUSIVE:
        yield "verdict"
    claims = {DiagnosisVerdict.BALANCED}
    if not edge:
        claims |= {DiagnosisVerdict.FORGETTING, DiagnosisVerdict.HARMED}
    if diagnosis in claims:
        yield "diagnosis"


def chosen(random: np.random.Generator, name: str, size: int, candidates: int, *, paying: bool) -> bool:
    """Whether a candidate is taken that the gate wrongly passed.

    All candidates were asked the same questions, each has lost just what the gate allows, and they learned
    more or less by chance. `paying`: their intervals pay for their number.
    """
    world, gate = WORLDS[name], Gate(metric=Metric.GENERAL, max_drop=MARGIN)
    level = level_of(candidates if paying else 1)
    general = _draw_all(random, size, GENERAL, -MARGIN, world, candidates)
    domain = _draw_all(random, size, IN_DOMAIN, world.gain, world, candidates)
    found = []
    for number, (after, learned) in enumerate(zip(general[1:], domain[1:], strict=True), start=1):
        scores = EvaluationSummary(
            name="e",
            coverage=1.0,
            general=_scope_of("general", general[0], after, level),
            in_domain=_scope_of("inDomain", domain[0], learned, level),
        )
        found.append(candidate(number / candidates, scores, judge_gates([gate], scores)))
    return best(found).gates is GateResult.PASSED


def _draw_all(
    random: np.random.Generator, n: int, base: float, change: float, world: World, candidates: int
) -> list[Floats]:
    """Scores of the base model and each candidate on the same questions, [n, WORDINGS] each."""
    question = random.standard_normal((n, 1, 1)) * world.question
    wording = random.standard_normal((n, WORDINGS, 1)) * world.wording

    def answers(target: float) -> Floats:
        own = random.standard_normal((n, 1, 1)) * world.by_model
        noise = random.logistic(size=(n, WORDINGS, world.criteria))
        right: Floats = (_level(target, world) + question + own + wording + noise > 0).mean(-1)
        return right

    before = answers(base)
    changed = base + change / (1 - world.kept)
    return [
        before,
        *(np.where(random.random((n, 1)) < world.kept, before, answers(changed)) for _ in range(candidates)),
    ]


def _scope_of(name: str, before: Floats, after: Floats, level: float) -> ScopeScore:
    pairs = [
        PairedValue(model=model, baseline=baseline)
        for model, baseline in zip(after.mean(1).tolist(), before.mean(1).tolist(), strict=True)
    ]
    return PairedValues(questions=pairs, level=level).score(name)


def tolerance(rate: float, trials: int) -> float:
    """How far a rate over `trials` may lie from the true one by chance: 3 standard errors."""
    return 3 * sqrt(rate * (1 - rate) / trials)


def table(trials: Mapping[int, int]) -> Iterator[str]:
    """A line for each size and world: least and greatest coverage, and the greatest rate of each error."""
    yield "| Questions | World | Trials | Intervals hold the truth | Gate | Verdict | Diagnosis |"
    yield "|---|---|---|---|---|---|---|"
    for size, count in trials.items():
        for name in WORLDS:
            yield line(name, size, [simulate(name, size, count, edge=edge) for edge in (False, True)])


def line(name: str, size: int, both: Sequence[Rates]) -> str:
    """`both`: where nothing changes, and at the edge."""
    held = [rates.coverage(key) for rates in both for key in rates.held]
    gate = max((rates.error(key) for rates in both for key in rates.wrong if " " in key), default=0.0)
    verdict, diagnosis = (max(rates.error(key) for rates in both) for key in ("verdict", "diagnosis"))
    return (
        f"| {size:,} | {name} | {both[0].trials} | {min(held):.1%} to {max(held):.1%} | {gate:.1%} | "
        f"{verdict:.1%} | {diagnosis:.1%} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    given = parser.parse_args()
    for row in table({size: max(1, given.trials * 300 // max(size, 300)) for size in SIZES}):
        print(row, flush=True)
