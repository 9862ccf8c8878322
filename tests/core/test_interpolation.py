"""The choice between a base model and what it was tuned to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.operator.builders import retention, scope

from blendtune_api.v1alpha1 import (
    Candidate,
    CandidateScope,
    DiagnosisVerdict,
    EvaluationSummary,
    Gate,
    GateResult,
    Interpolation,
    InterpolationStatus,
    Metric,
)
from blendtune_core.diagnosis import Trained, diagnose
from blendtune_core.gates import judge_gates
from blendtune_core.interpolation import best, candidate, told_choice
from blendtune_core.power import candidates_of, critical_of, detectable_difference, level_of

PASSED, FAILED, OPEN = GateResult.PASSED, GateResult.FAILED, GateResult.INCONCLUSIVE
MAX_DROP = Gate(metric=Metric.GENERAL, max_drop=0.1)


def of(weight: float, in_domain: float | None, gates: GateResult, general: float = 0.6) -> Candidate:
    return Candidate(
        weight=weight,
        in_domain=None if in_domain is None else CandidateScope(score=in_domain),
        general=CandidateScope(score=general),
        gates=gates,
        not_passed="" if gates is PASSED else "general maxDrop",
    )


def status(*candidates: Candidate) -> InterpolationStatus:
    taken = best(candidates)
    return InterpolationStatus(
        weight=taken.weight, uri="u", digest="d", tuned_uri="t", tuned_digest="t", candidates=candidates
    )


@pytest.mark.parametrize(
    ("candidates", "weight"),
    [
        pytest.param([of(0.5, 0.4, PASSED), of(0.7, 0.5, PASSED), of(1, 0.8, FAILED)], 0.7, id="learned"),
        pytest.param([of(0.5, 0.4, PASSED), of(0.7, 0.5, PASSED), of(1, 0.8, PASSED)], 1.0, id="tuned"),
        pytest.param([of(0.5, 0.6, PASSED), of(0.7, 0.5, PASSED), of(1, 0.8, OPEN)], 0.5, id="open-tuned"),
        pytest.param([of(0.5, 0.4, OPEN), of(0.7, 0.5, FAILED), of(1, 0.8, FAILED)], 1.0, id="none-passes"),
        pytest.param([of(0.5, 0.6, PASSED), of(0.7, 0.6, PASSED), of(1, 0.6, PASSED)], 0.5, id="all-alike"),
        pytest.param([of(0.5, None, PASSED), of(0.7, 0.1, PASSED), of(1, 0.6, FAILED)], 0.7, id="unscored"),
    ],
)
def test_takes_what_learned_most_within_the_gates(candidates: list[Candidate], weight: float) -> None:
    assert best(candidates).weight == weight


_CANDIDATES = st.lists(st.tuples(st.floats(0, 1), st.sampled_from(GateResult)), min_size=1, max_size=9).map(
    lambda rows: [of((index + 1) / len(rows), *row) for index, row in enumerate(rows)]
)


@given(_CANDIDATES)
def test_what_is_taken_passes_or_is_the_tuned_model(candidates: list[Candidate]) -> None:
    taken = best(candidates)
    assert taken.gates is PASSED or taken is candidates[-1]
    passing = [each.in_domain.score for each in candidates if each.gates is PASSED and each.in_domain]
    assert not passing or (taken.in_domain is not None and taken.in_domain.score == max(passing))


@pytest.mark.parametrize(("candidates", "level"), [(1, 0.95), (2, 0.975), (5, 0.99)])
def test_each_interval_pays_for_the_number_of_candidates(candidates: int, level: float) -> None:
    assert level_of(candidates) == pytest.approx(level)


def test_a_difference_must_be_larger_to_be_told_apart_for_several_candidates() -> None:
    """(2.50 + 0.84) / (1.96 + 0.84) times as large for four."""
    alone, among_four = (detectable_difference(45, critical=critical_of(count)) for count in (1, 4))
    assert among_four / alone == pytest.approx(1.19, abs=0.005)
    assert [candidates_of(asked) for asked in (None, Interpolation(weights=(0.5, 0.7, 0.85)))] == [1, 4]


def test_a_candidate_is_told_by_its_scores_and_gates() -> None:
    scores = EvaluationSummary(
        name="e",
        in_domain=scope("inDomain", 0.6, 0.3),
        general=scope("general", 0.5, -0.2),
        retention=(retention(0.01), retention(0.3)),
    )
    found = candidate(0.7, scores, judge_gates([MAX_DROP], scores))
    assert (found.weight, found.gates, found.not_passed) == (0.7, FAILED, "general maxDrop")
    assert found.general is not None and found.general.delta == -0.2
    assert found.rise == 0.3


@pytest.mark.parametrize(
    ("candidates", "words"),
    [
        pytest.param(
            [of(0.7, 0.54, PASSED, 0.64), of(1, 0.75, FAILED, 0.53)],
            "Weight 0.7 passes all gates and is taken; the model as it was tuned does not pass general "
            "maxDrop. It scores in-domain 0.54 instead of 0.75, general 0.64 instead of 0.53.",
            id="another",
        ),
        pytest.param(
            [of(0.7, 0.54, FAILED), of(1, 0.75, FAILED)], "No weight of 0.7, 1 passes all gates", id="none"
        ),
        pytest.param([of(0.7, 0.5, PASSED), of(1, 0.8, PASSED)], "as it was tuned passes", id="tuned"),
    ],
)
def test_the_choice_is_told(candidates: list[Candidate], words: str) -> None:
    assert words in told_choice(status(*candidates))


@pytest.mark.parametrize("tried", [False, True])
def test_forgetting_is_told_the_way_back_unless_it_was_tried(tried: bool) -> None:
    found = status(of(0.5, 0.4, FAILED), of(1, 0.8, FAILED)) if tried else None
    scores = EvaluationSummary(
        name="e",
        in_domain=scope("inDomain", 0.8, 0.5),
        general=scope("general", 0.4, -0.3),
        interpolation=found,
    )
    diagnosis = diagnose(scores, judge_gates([MAX_DROP], scores), Trained())
    assert diagnosis.verdict is DiagnosisVerdict.FORGETTING
    assert ("interpolation: {weights: [0.5, 0.7, 0.85]}" in diagnosis.message) is not tried
    assert ("No weight of 0.5, 1 passes" in diagnosis.message) is tried
