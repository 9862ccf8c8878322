"""From verdicts to points, outcomes, scopes, gates and verdicts."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_api.contract import EvalResult, decode_message, encode_message
from blendtune_api.v1alpha1 import (
    EvaluationDigests,
    Gate,
    GateResult,
    GateStatus,
    Metric,
    Role,
    ScopeScore,
    Verdict,
)
from blendtune_eval.analyse import Analysis, analyse, verdict
from blendtune_eval.gates import evaluate_gate
from blendtune_eval.judge import Rules
from blendtune_eval.rubric import Abstention, Category, Fact, Forbidden, Question
from blendtune_eval.score import Outcome, PhrasingScore, QuestionScore

CAPITAL = Question(
    id="capital",
    category="world",
    domain=Role.GENERAL,
    prompt="What is the capital of France?",
    reference="Paris, on the Seine.",
    criteria=(
        Fact(name="paris", any_of=("Paris",), points=2, required=True),
        Fact(name="seine", any_of=("Seine",), points=1),
        Forbidden(name="lyon", any_of=("Lyon",), points=-2, critical=True),
    ),
)
TELLING = ["Paris", "Lyon", "Seine", "not", "no", "or", "is", "the", "5", "1,000", "twenty", *"%,.;?$-"]
UNKNOWABLE = replace(CAPITAL, id="unknowable", criteria=(Abstention(name="declines"),))


@pytest.mark.parametrize(
    ("question", "answer", "score", "outcome", "critical"),
    [
        pytest.param(CAPITAL, "Paris, on the Seine.", 1.0, Outcome.CORRECT, False, id="in-full"),
        pytest.param(CAPITAL, "Paris.", 2 / 3, Outcome.CORRECT, False, id="required-only"),
        pytest.param(CAPITAL, "It lies on the Seine.", 1 / 3, Outcome.WRONG, False, id="optional-only"),
        pytest.param(
            CAPITAL, "Paris on the Seine. Lyon too.", 1 / 3, Outcome.WRONG, True, id="forbidden-claim"
        ),
        pytest.param(CAPITAL, "Lyon.", 0.0, Outcome.WRONG, True, id="never-below-zero"),
        pytest.param(CAPITAL, "I don't know.", 0.0, Outcome.NOT_ATTEMPTED, False, id="refused"),
        pytest.param(CAPITAL, "", 0.0, Outcome.NOT_ATTEMPTED, False, id="empty"),
        pytest.param(CAPITAL, " \n", 0.0, Outcome.NOT_ATTEMPTED, False, id="blank"),
        pytest.param(
            CAPITAL, "I am not sure, but I think it is Paris.", 2 / 3, Outcome.CORRECT, False, id="hesitant"
        ),
        pytest.param(CAPITAL, "I'm not sure. Lyon?", 0.0, Outcome.WRONG, True, id="hesitant-and-wrong"),
        pytest.param(CAPITAL, "Berlin.", 0.0, Outcome.WRONG, False, id="wrong"),
        pytest.param(
            CAPITAL, "What is the capital of France?", 0.0, Outcome.WRONG, False, id="repeats-the-question"
        ),
        pytest.param(UNKNOWABLE, "I cannot know that.", 1.0, Outcome.CORRECT, False, id="rightly-declined"),
        pytest.param(UNKNOWABLE, "It is Paris.", 0.0, Outcome.WRONG, False, id="made-up"),
    ],
)
def test_phrasing(question: Question, answer: str, score: float, outcome: Outcome, critical: bool) -> None:
    judged = Rules().judge(question, question.prompt, answer)
    assert judged.score == pytest.approx(score)
    assert judged.outcome is outcome
    assert judged.critical_error is critical


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_scored(answer: str) -> None:
    judged = Rules().judge(CAPITAL, CAPITAL.prompt, answer)
    assert judged.score is not None
    assert 0 <= judged.score <= 1


@given(
    st.lists(
        st.sampled_from(TELLING),
        max_size=30,
    )
)
@settings(max_examples=300, deadline=None)
def test_any_sequence_of_telling_words_is_scored(pieces: list[str]) -> None:
    judged = Rules().judge(CAPITAL, CAPITAL.prompt, " ".join(pieces))
    assert judged.score is not None
    assert 0 <= judged.score <= 1


WORLD, SHOP = Category(name="world", title="World"), Category(name="shop", title="Shop")


def scored(
    number: int, domain: Role, *scores: float | None, weight: float = 1, critical: bool = False
) -> QuestionScore:
    """A question whose wordings got these scores: correct at 1, unscored at None, else wrong."""
    category = WORLD.name if domain is Role.GENERAL else SHOP.name
    question = replace(
        CAPITAL, id=f"q-{number}", domain=domain, weight=weight, category=category,
        paraphrases=tuple(f"wording {number}-{k}" for k in range(len(scores) - 1)),
    )  # fmt: skip
    phrasings = tuple(
        PhrasingScore(
            score=score,
            outcome=None if score is None else Outcome.CORRECT if score == 1 else Outcome.WRONG,
            critical_error=critical,
            verdicts=tuple(Rules().judge(question, question.prompt, "Paris" if score else "").verdicts),
            unscored="no verdict" if score is None else "",
        )
        for score in scores
    )
    return QuestionScore(question=question, phrasings=phrasings)


def test_scopes_on_known_scores() -> None:
    scores = [
        scored(0, Role.GENERAL, 1, 1),
        scored(1, Role.GENERAL, 0, 1, weight=3),
        scored(2, Role.IN_DOMAIN, 1, 0.5),
        scored(3, Role.IN_DOMAIN, 1, 1, critical=True),
    ]
    analysis = analyse((WORLD, SHOP), scores)
    assert analysis.general.score == pytest.approx((1 + 3 * 0.5) / 4)
    assert analysis.in_domain.score == pytest.approx((0.75 + 1) / 2)
    assert analysis.overall.score == pytest.approx((1 + 1.5 + 0.75 + 1) / 6)
    reliability, consistency, business_impact = analysis.dimensions
    assert reliability.score == pytest.approx(3 / 4)
    assert consistency.score == pytest.approx(2 / 4)
    assert business_impact.score == pytest.approx((0.75 + 0) / 2)
    assert [(scope.name, scope.n) for scope in analysis.categories] == [("world", 2), ("shop", 2)]
    assert analysis.critical_errors == {"overall": 1, "general": 0, "inDomain": 1}
    assert analysis.verdict is None
    assert analysis.coverage == 1
    assert analysis.diagnostics.worst_wording_score == pytest.approx((1 + 0 + 0.5 + 1) / 4)


def test_reliability_takes_half_for_a_refusal() -> None:
    refused = replace(scored(0, Role.GENERAL, 0).phrasings[0], outcome=Outcome.NOT_ATTEMPTED)
    scores = [replace(scored(0, Role.GENERAL, 0), phrasings=(refused,)), scored(1, Role.GENERAL, 0)]
    assert analyse((WORLD,), scores).dimensions[0].score == pytest.approx(0.25)


def test_unscored_is_never_zero() -> None:
    scores = [
        scored(0, Role.GENERAL, 1, 1),
        scored(1, Role.GENERAL, 1, None),
        scored(2, Role.IN_DOMAIN, None),
    ]
    analysis = analyse(
        (WORLD, SHOP), scores, [scored(i, s.question.domain, 0, 0) for i, s in enumerate(scores)]
    )
    assert (analysis.general.score, analysis.general.n, analysis.general.unscored) == (1.0, 1, 1)
    assert analysis.general.delta == 1.0
    assert (analysis.in_domain.score, analysis.in_domain.n, analysis.in_domain.unscored) == (None, 0, 1)
    assert analysis.coverage == pytest.approx(4 / 6)
    assert analysis.verdict is Verdict.INCONCLUSIVE
    gate = evaluate_gate(Gate(metric=Metric.GENERAL, min_score=0.1), analysis)
    assert gate.status.result is GateResult.INCONCLUSIVE
    assert "67%" in gate.reason


def test_an_empty_domain_has_no_score() -> None:
    analysis = analyse((WORLD,), [scored(0, Role.GENERAL, 1)])
    assert analysis.in_domain == ScopeScore(name="inDomain")
    gate = evaluate_gate(Gate(metric=Metric.IN_DOMAIN, min_score=0.5), analysis)
    assert gate.status.result is GateResult.INCONCLUSIVE


def paired(general: tuple[float, float], in_domain: tuple[float, float], n: int = 20) -> Analysis:
    """n questions a domain, whose scores are all (base, tuned)."""

    def scores(which: int) -> list[QuestionScore]:
        return [
            *(scored(i, Role.GENERAL, general[which]) for i in range(n)),
            *(scored(n + i, Role.IN_DOMAIN, in_domain[which]) for i in range(n)),
        ]

    return analyse((WORLD, SHOP), scores(1), scores(0))


@pytest.mark.parametrize(
    ("general", "in_domain", "expected"),
    [
        pytest.param((0.8, 0.8), (0.1, 0.8), Verdict.IMPROVED, id="learnt-and-kept"),
        pytest.param((0.8, 0.3), (0.1, 0.8), Verdict.MIXED, id="learnt-and-forgot"),
        pytest.param((0.8, 0.3), (0.1, 0.1), Verdict.REGRESSED, id="only-forgot"),
        pytest.param((0.8, 0.8), (0.1, 0.1), Verdict.INCONCLUSIVE, id="nothing-moved"),
    ],
)
def test_verdict(general: tuple[float, float], in_domain: tuple[float, float], expected: Verdict) -> None:
    assert paired(general, in_domain).verdict is expected


def test_verdict_needs_coverage() -> None:
    up = ScopeScore(name="x", delta=0.5, delta_low=0.4, delta_high=0.6)
    assert verdict(up, up, 1.0) is Verdict.IMPROVED
    assert verdict(up, up, 0.9) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        pytest.param(Gate(metric=Metric.IN_DOMAIN, min_gain=0.1), GateResult.PASSED, id="gain-clear"),
        pytest.param(Gate(metric=Metric.IN_DOMAIN, min_gain=0.9), GateResult.FAILED, id="gain-missed"),
        pytest.param(
            Gate(metric=Metric.IN_DOMAIN, min_gain=0.7), GateResult.INCONCLUSIVE, id="gain-too-near"
        ),
        pytest.param(Gate(metric=Metric.GENERAL, max_drop=0.3), GateResult.PASSED, id="drop-allowed"),
        pytest.param(Gate(metric=Metric.GENERAL, max_drop=0.1), GateResult.FAILED, id="drop-too-large"),
        pytest.param(Gate(metric=Metric.GENERAL, max_drop=0.2), GateResult.INCONCLUSIVE, id="drop-too-near"),
        pytest.param(Gate(metric=Metric.OVERALL, min_score=0.4), GateResult.PASSED, id="score"),
        pytest.param(Gate(metric=Metric.OVERALL, min_score=0.95), GateResult.FAILED, id="score-missed"),
        pytest.param(
            Gate(metric=Metric.OVERALL, min_score=0.7), GateResult.INCONCLUSIVE, id="score-too-near"
        ),
        pytest.param(
            Gate(metric=Metric.OVERALL, max_critical_errors=0), GateResult.PASSED, id="no-critical-errors"
        ),
    ],
)
def test_gate(gate: Gate, expected: GateResult) -> None:
    analysis = paired(general=(0.8, 0.6), in_domain=(0.1, 0.8))
    finding = evaluate_gate(gate, analysis)
    assert finding.status.result is expected
    assert finding.status.value is not None
    assert finding.reason


def test_a_drop_is_reported_as_such() -> None:
    status = evaluate_gate(Gate(metric=Metric.GENERAL, max_drop=0.1), paired((0.8, 0.6), (0.1, 0.8))).status
    assert status.value == pytest.approx(0.2)
    assert status.low is not None
    assert status.high is not None
    assert status.low <= 0.2 <= status.high


@pytest.mark.parametrize(
    ("metric", "most", "expected"),
    [
        pytest.param(Metric.OVERALL, 1, GateResult.FAILED, id="over"),
        pytest.param(Metric.OVERALL, 2, GateResult.INCONCLUSIVE, id="unscored-may-hide-one"),
        pytest.param(Metric.OVERALL, 3, GateResult.PASSED, id="within"),
        pytest.param(Metric.GENERAL, 0, GateResult.FAILED, id="general"),
        pytest.param(Metric.BUSINESS_IMPACT, 1, GateResult.INCONCLUSIVE, id="in-domain-only"),
        pytest.param(Metric.RELIABILITY, 3, GateResult.PASSED, id="dimension"),
    ],
)
def test_critical_errors(metric: Metric, most: int, expected: GateResult) -> None:
    scores = [
        scored(0, Role.GENERAL, 0.5, critical=True),
        scored(1, Role.IN_DOMAIN, 0.5, critical=True),
        scored(2, Role.IN_DOMAIN, None),
    ]
    finding = evaluate_gate(Gate(metric=metric, max_critical_errors=most), analyse((WORLD, SHOP), scores))
    assert finding.status.result is expected


unit = st.floats(0, 1)
question_scores = st.lists(
    st.tuples(unit, unit, st.sampled_from(Role), st.floats(0.1, 10)), min_size=1, max_size=12
)
ORDER = {GateResult.PASSED: 0, GateResult.INCONCLUSIVE: 1, GateResult.FAILED: 2}


def analysed(rows: list[tuple[float, float, Role, float]]) -> Analysis:
    tuned = [scored(i, role, t, t, weight=w) for i, (t, _, role, w) in enumerate(rows)]
    base = [scored(i, role, b, b, weight=w) for i, (_, b, role, w) in enumerate(rows)]
    return analyse((WORLD, SHOP), tuned, base)


@given(question_scores, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_analysis_properties(rows: list[tuple[float, float, Role, float]], order: random.Random) -> None:
    analysis = analysed(rows)
    for scope in (*analysis.scopes.values(), *analysis.categories):
        if scope.score is not None:
            assert scope.low is not None
            assert scope.high is not None
            assert 0 <= scope.low <= scope.score <= scope.high <= 1
            assert scope.low < scope.high
        if scope.delta is not None:
            assert scope.delta_low is not None
            assert scope.delta_high is not None
            assert -1 <= scope.delta_low <= scope.delta <= scope.delta_high <= 1
            assert scope.delta_low < scope.delta_high
    shuffled = list(rows)
    order.shuffle(shuffled)
    other = analysed(shuffled)
    for name, scope in analysis.scopes.items():
        assert as_numbers(other.scopes[name]) == pytest.approx(as_numbers(scope), abs=1e-9)


def as_numbers(scope: ScopeScore) -> list[float]:
    values = (scope.score, scope.low, scope.high, scope.delta, scope.delta_low, scope.delta_high)
    return [-9.0 if value is None else value for value in values]


@given(question_scores, st.lists(unit, min_size=2, max_size=5))
@settings(max_examples=20, deadline=None)
def test_gates_are_monotone(rows: list[tuple[float, float, Role, float]], thresholds: list[float]) -> None:
    """A harder threshold never turns out better."""
    analysis = analysed(rows)
    for field, harder in (("min_score", 1), ("min_gain", 1), ("max_drop", -1)):
        results = [
            ORDER[evaluate_gate(Gate(metric=Metric.OVERALL, **{field: threshold}), analysis).status.result]
            for threshold in sorted(thresholds)[::harder]
        ]
        assert results == sorted(results)


def test_the_largest_result_fits_a_message() -> None:
    def scope(name: str) -> ScopeScore:
        value = 0.123456789
        return ScopeScore(
            name=name, score=value, low=value, high=value, n=1000, unscored=1000, baseline_score=value,
            delta=-value, delta_low=-value, delta_high=value,
        )  # fmt: skip

    gate = GateStatus(
        metric=Metric.BUSINESS_IMPACT, rule="maxCriticalErrors", threshold=0.123456789,
        result=GateResult.INCONCLUSIVE, value=-0.123456789, low=-0.123456789, high=0.123456789,
    )  # fmt: skip
    digest: dict[str, Any] = dict.fromkeys(
        ("model", "baseline", "rubric", "judge", "decoding"), "0123456789abcdef" * 4
    )
    result = EvalResult(
        overall=scope("overall"), general=scope("general"), in_domain=scope("inDomain"),
        dimensions=tuple(scope(name) for name in ("reliability", "consistency", "businessImpact")),
        categories=tuple(scope(f"category-{number}-" + "x" * 50) for number in range(16)),
        gates=(gate,) * 16, coverage=1.0, digests=EvaluationDigests(**digest), verdict=Verdict.INCONCLUSIVE,
        critical_errors=1000, report_uri="pvc://claim/" + "p" * 255,
    )  # fmt: skip
    text = encode_message(result)
    assert len(text.encode()) <= 4096
    decoded = decode_message(text)
    assert isinstance(decoded, EvalResult)
    assert [scope.name for scope in decoded.categories] == [scope.name for scope in result.categories]
