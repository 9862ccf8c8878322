"""Where the truth is known, intervals hold it as often as they say, and decisions err as rarely.

Through the analysis, gates, verdict and diagnosis, with correlated wordings, at every size; the tests print
their table (`pytest -s`). Rates over few trials are held to their bound and three standard errors. The same
with more trials is in docs/evaluation.md.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple

import numpy as np
import pytest
from tests.eval.error_rates import (
    SIZES,
    WORLDS,
    Rates,
    analysed,
    chosen,
    line,
    scopes_of,
    simulate,
    tolerance,
    trial,
)

from blendtune_api.v1alpha1 import EvaluationSummary, Gate, GateResult, Metric, RetentionText
from blendtune_core import retention
from blendtune_core.benchmark_scores import Measured, benchmark_score
from blendtune_core.gates import judge_gates
from blendtune_core.retention import RowLoss, retention_score

TRIALS = {22: 150, 45: 150, 100: 100, 300: 50, 1000: 24}
LEAST, MOST, MOST_ERRORS = 0.93, 0.97, 0.05
EVEN = tuple(name for name, world in WORLDS.items() if not world.kept)  # every question may change


@pytest.mark.parametrize("size", SIZES)
def test_intervals_and_decisions_err_as_rarely_as_they_say(size: int) -> None:
    trials = TRIALS[size]
    both = {name: [simulate(name, size, trials, edge=edge) for edge in (False, True)] for name in WORLDS}
    for name, rates in both.items():
        print(line(name, size, rates))
    every = [rates for each in both.values() for rates in each]
    even = [rates for name in EVEN for rates in both[name]]
    for key in every[0].held:
        assert pooled(every, key) >= LEAST - tolerance(LEAST, trials * len(every)), key
        assert pooled(even, key) <= MOST + tolerance(MOST, trials * len(even)), key
    edges, nulls = ([rates[index] for rates in both.values()] for index in (1, 0))
    chance = tolerance(MOST_ERRORS, trials * len(edges))
    for key in {key for rates in edges for key in rates.wrong} | {"verdict", "diagnosis"}:
        assert error(edges, key) <= MOST_ERRORS + chance, key
    for key in ("verdict", "diagnosis"):
        assert error(nulls, key) <= MOST_ERRORS + chance, key


@pytest.mark.parametrize("name", WORLDS)
def test_the_simulation_scores_as_the_analysis_does(name: str) -> None:
    scores = trial(np.random.default_rng(1), name, 22, 0.1, WORLDS[name].gain)
    found, expected = scopes_of(*scores), analysed(*scores)
    for scope, other in (
        (found.overall, expected.overall),
        (found.general, expected.general),
        (found.in_domain, expected.in_domain),
    ):
        assert astuple(scope)[1:] == pytest.approx(astuple(other)[1:])


def pooled(rates: list[Rates], key: str) -> float:
    return sum(each.held[key] for each in rates) / sum(each.trials for each in rates)


def error(rates: list[Rates], key: str) -> float:
    return sum(each.wrong[key] for each in rates) / sum(each.trials for each in rates)


@pytest.mark.parametrize(
    ("samples", "changed"),
    [
        pytest.param(300, 0.1, id="300, one in ten changes"),
        pytest.param(1000, 0.03, id="1,000, few change"),
        pytest.param(1000, 0.3, id="1,000, many change"),
    ],
)
def test_a_benchmark_and_its_gate(samples: int, changed: float, trials: int = 300) -> None:
    """The truth is a drop of 0.02, and so is the threshold."""
    random, drop, held = np.random.default_rng(samples), 0.02, 0
    results: Counter[GateResult] = Counter()
    gate = Gate(metric=Metric.BENCHMARK, name="own", max_drop=drop)
    for _ in range(trials):
        base = random.random(samples) < 0.6
        lost, won = (changed + drop) / 2 / 0.6, (changed - drop) / 2 / 0.4
        tuned = np.where(random.random(samples) < np.where(base, lost, won), ~base, base)
        model, baseline = (
            Measured(
                metric="acc", score=float(right.mean()), standard_error=None, n=samples,
                samples=right.astype(float).tolist(),
            )
            for right in (tuned, base)
        )  # fmt: skip
        score = benchmark_score("own", model, baseline, compared=True)
        assert score.delta_low is not None and score.delta_high is not None
        held += score.delta_low <= -drop <= score.delta_high
        (status,) = judge_gates([gate], EvaluationSummary(name="e", benchmarks=(score,)))
        results[status.result] += 1
    print(f"| benchmark, {samples:,} samples | {changed:.0%} change | {held / trials:.1%} | {dict(results)}")
    assert LEAST - tolerance(LEAST, trials) <= held / trials <= MOST + tolerance(MOST, trials)
    for decided in (GateResult.PASSED, GateResult.FAILED):
        assert results[decided] / trials <= MOST_ERRORS + tolerance(MOST_ERRORS, trials)


@pytest.mark.parametrize("rows", [22, 100, 300])
def test_retention_and_its_gate(rows: int, monkeypatch: pytest.MonkeyPatch, trials: int = 200) -> None:
    """The truth is a rise of 0.05 nats per token, and so is the threshold. Long rows weigh more."""
    monkeypatch.setattr(retention, "RESAMPLES", 1_000)
    random, rise, held = np.random.default_rng(rows), 0.05, 0
    results: Counter[GateResult] = Counter()
    gate = Gate(metric=Metric.RETENTION, max_rise=rise)
    for _ in range(trials):
        tokens = np.maximum(1, random.lognormal(3.5, 0.6, rows).astype(int))
        rises = tokens * (rise + 0.1 * (random.gamma(4.0, 0.5, rows) - 2.0))  # skewed, of mean `rise`
        losses = [
            RowLoss(int(count), 1.0, 1.0 + up, 0.0)
            for count, up in zip(tokens.tolist(), rises.tolist(), strict=True)
        ]
        score = retention_score(RetentionText.BASE_ANSWERS, losses)
        assert score is not None
        held += score.rise_low <= rise <= score.rise_high
        (status,) = judge_gates([gate], EvaluationSummary(name="e", retention=(score,)))
        results[status.result] += 1
    print(f"| retention, {rows} rows | {held / trials:.1%} | {dict(results)}")
    assert LEAST - tolerance(LEAST, trials) <= held / trials <= MOST + tolerance(MOST, trials)
    for decided in (GateResult.PASSED, GateResult.FAILED):
        assert results[decided] / trials <= MOST_ERRORS + tolerance(MOST_ERRORS, trials)


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("candidates", [2, 4, 9])
def test_the_choice_among_candidates_keeps_the_gates_error(
    name: str, candidates: int, trials: int = 240
) -> None:
    """All have lost just what the gate allows: one that it passes is an error, and so is taking it."""
    random = np.random.default_rng([candidates, list(WORLDS).index(name)])
    wrong = sum(chosen(random, name, 100, candidates, paying=True) for _ in range(trials)) / trials
    unpaid = sum(chosen(random, name, 100, candidates, paying=False) for _ in range(trials // 4))
    print(
        f"| {candidates} candidates, {name} | {wrong:.1%} | "
        f"without paying for their number {unpaid / (trials // 4):.1%}"
    )
    assert wrong <= 0.05 + tolerance(0.05, trials)
