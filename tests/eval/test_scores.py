"""From verdicts on criteria to scores of answers and scopes, and to the verdict of an evaluation."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import Gate, GateResult, Metric, Role, ScopeScore, Verdict
from blendtune_core.gates import judge_gates
from blendtune_core.statistics import Interval
from blendtune_core.verdict import Direction, direction
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Abstention, Category, Fact, Forbidden, Question
from blendtune_eval.rules.criteria import CriterionVerdict
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.scoring.analyse import analyse
from blendtune_eval.scoring.dimensions import diagnostics_of
from blendtune_eval.scoring.score import Outcome, QuestionScore, WordingScore, score_wording

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
def test_an_answer_to_one_wording(
    question: Question, answer: str, score: float, outcome: Outcome, critical: bool
) -> None:
    judged = Rules().judge(question, question.prompt, answer)
    assert judged.score == pytest.approx(score)
    assert judged.outcome is outcome
    assert judged.critical_error is critical


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_scored(answer: str) -> None:
    judged = Rules().judge(CAPITAL, CAPITAL.prompt, answer)
    if judged.score is None:
        assert judged.doubt is not None or judged.unfinished
    else:
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
    if judged.score is None:
        assert judged.doubt is not None or judged.unfinished
    else:
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
    wordings = tuple(
        WordingScore(
            score=score,
            outcome=None if score is None else Outcome.CORRECT if score == 1 else Outcome.WRONG,
            critical_error=critical,
            verdicts=tuple(Rules().judge(question, question.prompt, "Paris" if score else "").verdicts),
            unscored="no verdict" if score is None else "",
        )
        for score in scores
    )
    return QuestionScore(question=question, wordings=wordings)


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
    assert [scope.critical_errors for scope in (analysis.overall, analysis.general, analysis.in_domain)] == [
        1,
        0,
        1,
    ]
    assert analysis.verdict is None
    assert analysis.coverage == 1
    assert diagnostics_of(scores).worst_wording_score == pytest.approx((1 + 0 + 0.5 + 1) / 4)


def test_reliability_takes_half_for_a_refusal() -> None:
    refused = replace(scored(0, Role.GENERAL, 0).wordings[0], outcome=Outcome.NOT_ATTEMPTED)
    scores = [replace(scored(0, Role.GENERAL, 0), wordings=(refused,)), scored(1, Role.GENERAL, 0)]
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
    assert analysis.coverage == pytest.approx(1 / 3), "that of the model with the lesser"
    assert analysis.verdict is Verdict.INCONCLUSIVE


def test_a_baseline_without_any_score_is_not_compared_and_told() -> None:
    scores = [scored(0, Role.GENERAL, 1), scored(1, Role.IN_DOMAIN, 1)]
    base = [scored(0, Role.GENERAL, None), scored(1, Role.IN_DOMAIN, None)]
    analysis = analyse((WORLD, SHOP), scores, base)
    assert analysis.not_compared.startswith(
        "none of the base model's answers was scored, the first because: "
    )
    (gate,) = judge_gates((Gate(metric=Metric.GENERAL, max_drop=0.1),), analysis)
    assert (gate.result, gate.message) == (GateResult.INCONCLUSIVE, analysis.not_compared)
    one = analyse((WORLD, SHOP), scores, [scored(0, Role.GENERAL, 1), base[1]])
    (gate,) = judge_gates((Gate(metric=Metric.IN_DOMAIN, min_gain=0.1),), one)
    assert gate.message == "none of the base model's answers to its questions was scored"


def test_unscored_questions_bound_what_is_known() -> None:
    scores = [
        scored(0, Role.GENERAL, 1),
        scored(1, Role.GENERAL, None, weight=3),
        scored(2, Role.GENERAL, 0.5),
    ]
    base = [scored(0, Role.GENERAL, 0), scored(1, Role.GENERAL, 0.5, weight=3), scored(2, Role.GENERAL, None)]
    general = analyse((WORLD,), scores, base).general
    assert (general.worst, general.best) == pytest.approx((1.5 / 5, 4.5 / 5))
    assert general.delta == 1
    assert general.delta_worst == pytest.approx((1 - 3 * 0.5 - 0.5) / 5)
    assert general.delta_best == pytest.approx((1 + 3 * 0.5 + 0.5) / 5)
    whole = analyse((WORLD,), scores[:1], base[:1]).general
    assert (whole.worst, whole.best, whole.delta_worst, whole.delta_best) == (None,) * 4


def undecided(number: int, *wordings: WordingScore) -> QuestionScore:
    return replace(scored(number, Role.IN_DOMAIN, 1), wordings=wordings)


def test_undecided_answers_count_either_way_and_lower_no_coverage() -> None:
    """What the rules cannot tell is no failure of the judge, and is never taken for right or wrong."""
    doubt = WordingScore(unscored="unsure", doubt=Doubt.SUBJECT, bounds=Interval(0.5, 1.0))
    right = scored(0, Role.IN_DOMAIN, 1).wordings[0]
    base = [scored(number, Role.IN_DOMAIN, 0) for number in range(20)]
    known = [scored(number, Role.IN_DOMAIN, 1) for number in range(20)]
    open_ = [*known[:16], *(undecided(number, right, doubt) for number in range(16, 20))]
    whole, left = analyse((SHOP,), known, base), analyse((SHOP,), open_, base)
    assert left.coverage == 1
    assert (left.in_domain.n, left.in_domain.unscored) == (16, 4)
    assert (left.in_domain.worst, left.in_domain.best) == pytest.approx((16 / 20 + 0.75 * 4 / 20, 1.0))
    assert left.in_domain.delta_low is not None and whole.in_domain.delta_low is not None
    assert left.in_domain.delta_low < whole.in_domain.delta_low
    assert direction(left.in_domain) is Direction.UP, "it rose, whatever the undecided answers are"
    failed = WordingScore(unscored="the judge timed out")
    assert analyse((SHOP,), [*known[:19], undecided(19, right, failed)], base).coverage == 19 / 20


def test_so_many_undecided_answers_that_nothing_is_known() -> None:
    doubt = WordingScore(unscored="unsure", doubt=Doubt.SUBJECT)
    base = [scored(number, Role.IN_DOMAIN, 0.5) for number in range(20)]
    scores = [scored(number, Role.IN_DOMAIN, 1) for number in range(8)]
    scores += [undecided(number, doubt) for number in range(8, 20)]
    in_domain = analyse((SHOP,), scores, base).in_domain
    assert in_domain.delta == 0.5
    assert in_domain.p_value == 1
    assert direction(in_domain) is Direction.UNSURE


def test_a_doubt_leaves_the_points_that_are_sure() -> None:
    verdicts = [
        CriterionVerdict(criterion="paris", met=True, reason=""),
        CriterionVerdict(criterion="seine", met=False, reason="", doubt=Doubt.NEGATION),
        CriterionVerdict(criterion="lyon", met=False, reason="", doubt=Doubt.QUOTATION),
    ]
    found = score_wording(CAPITAL, verdicts, declined=False)
    assert found.score is None and not found.failed
    assert (found.range.low, found.range.high) == pytest.approx((0.0, 1.0))
    sure = score_wording(CAPITAL, [*verdicts[:2], replace(verdicts[2], doubt=None)], declined=False)
    assert (sure.range.low, sure.range.high) == pytest.approx((2 / 3, 1.0))


def test_models_that_were_asked_differently_are_not_compared() -> None:
    analysis = analyse(
        (WORLD,), [scored(0, Role.GENERAL, 1)], [scored(0, Role.GENERAL, 0)], not_compared="decoding"
    )
    assert (analysis.general.score, analysis.general.baseline_score, analysis.general.delta) == (1, 0, None)
    assert (analysis.verdict, analysis.not_compared) == (None, "decoding")


def test_an_empty_domain_has_no_score() -> None:
    analysis = analyse((WORLD,), [scored(0, Role.GENERAL, 1)])
    assert analysis.in_domain == ScopeScore(name="inDomain")


def paired(general: tuple[float, float], in_domain: tuple[float, float], n: int = 20) -> EvalResult:
    """n questions of each domain, all with the same two scores: (base, tuned)."""

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
    assert paired(general, in_domain, n=40).verdict is expected


def test_twenty_unchanged_questions_do_not_show_that_nothing_was_lost() -> None:
    """If one question in ten was lost, none of 20 is in one sample of eight."""
    found = paired((0.8, 0.8), (0.1, 0.8), n=20)
    assert found.general.delta_low == pytest.approx(-0.161, abs=0.001)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_both_domains_are_tested_as_two() -> None:
    """Six questions that all gain have p = 2/64; corrected for two domains, it is 4/64."""
    analysis = paired(general=(0.5, 0.5), in_domain=(0.1, 0.8), n=6)
    assert (analysis.in_domain.p_value, analysis.general.p_value) == (4 / 64, 1)
    assert analysis.verdict is Verdict.INCONCLUSIVE


unit = st.floats(0, 1)
question_scores = st.lists(
    st.tuples(unit, unit, st.sampled_from(Role), st.floats(0.1, 10)), min_size=1, max_size=12
)


def analysed(rows: list[tuple[float, float, Role, float]]) -> EvalResult:
    tuned = [scored(i, role, t, t, weight=w) for i, (t, _, role, w) in enumerate(rows)]
    base = [scored(i, role, b, b, weight=w) for i, (_, b, role, w) in enumerate(rows)]
    return analyse((WORLD, SHOP), tuned, base)


@given(question_scores, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_analysis_properties(rows: list[tuple[float, float, Role, float]], order: random.Random) -> None:
    analysis = analysed(rows)
    for scope in scopes(analysis):
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
    for scope, again in zip(scopes(analysis), scopes(other), strict=True):
        assert as_numbers(again) == pytest.approx(as_numbers(scope), abs=1e-9)


def scopes(analysis: EvalResult) -> list[ScopeScore]:
    return [
        analysis.overall,
        analysis.general,
        analysis.in_domain,
        *analysis.dimensions,
        *analysis.categories,
    ]


def as_numbers(scope: ScopeScore) -> list[float]:
    values = (scope.score, scope.low, scope.high, scope.delta, scope.delta_low, scope.delta_high)
    return [-9.0 if value is None else value for value in values]
