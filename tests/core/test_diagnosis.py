from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.operator.builders import scope

from blendtune_api.v1alpha1 import (
    BlendedSource,
    DiagnosisVerdict,
    EpochLoss,
    EpochScore,
    EvaluationSummary,
    Gate,
    GateResult,
    GateStatus,
    Metric,
    Role,
    ScopeScore,
    SourceLoss,
)
from blendtune_core.diagnosis import Trained, diagnose
from blendtune_core.gates import judge_gates

BALANCED, INCONCLUSIVE = DiagnosisVerdict.BALANCED, DiagnosisVerdict.INCONCLUSIVE
FORGETTING, IMBALANCED = DiagnosisVerdict.FORGETTING, DiagnosisVerdict.IMBALANCED_BLEND
OVERTRAINED, HARMED = DiagnosisVerdict.OVERTRAINED, DiagnosisVerdict.HARMED
NOT_LEARNED = DiagnosisVerdict.NOT_LEARNED
FALLS, LEVELS_OFF, GROWS = (2.0, 1.5, 1.2), (2.0, 1.5, 1.495), (2.0, 1.5, 1.7)
KEPT_DROP = Gate(metric=Metric.GENERAL, max_drop=0.4)
SMALL_DROP = Gate(metric=Metric.GENERAL, max_drop=0.05)
NO_ERRORS = Gate(metric=Metric.IN_DOMAIN, max_critical_errors=0)
UNSCORED = ScopeScore(name="any", unscored=20)
WANTED_GAIN = Gate(metric=Metric.IN_DOMAIN, min_gain=0.3)


def trained(
    in_domain_share: float | None, ads: tuple[float, ...], general: tuple[float, ...] | None = None
) -> Trained:
    """Validation losses by epoch, 4.0 before; those of the general source fall where nothing else is said."""
    shares = {} if in_domain_share is None else {"ads": in_domain_share, "general": 1 - in_domain_share}
    falling = tuple(3.0 - 0.5 * epoch for epoch in range(len(ads)))
    losses = {"ads": ads, "general": falling if general is None else general}
    return Trained(
        roles={"ads": Role.IN_DOMAIN, "general": Role.GENERAL},
        sources=tuple(
            BlendedSource(name=name, examples=1, tokens=1, target_share=share, achieved_share=share, epochs=1)
            for name, share in shares.items()
        ),
        validation_loss=tuple(
            SourceLoss(
                name=name,
                before=4.0,
                after=values[-1] if values else None,
                epochs=tuple(EpochLoss(epoch=number, loss=loss) for number, loss in enumerate(values, 1)),
            )
            for name, values in losses.items()
        ),
    )


def diagnosed(
    in_domain: float | None,
    general: float | None,
    *,
    share: float | None = 0.5,
    losses: tuple[float, ...] = (),
    general_losses: tuple[float, ...] | None = None,
    score: float = 0.8,
    gates: tuple[Gate, ...] = (),
    epochs: tuple[EpochScore, ...] = (),
) -> tuple[DiagnosisVerdict, str]:
    evaluation = EvaluationSummary(
        name="ads",
        in_domain=replace(scope("inDomain", score, in_domain), critical_errors=1),
        general=scope("general", 0.6, general),
        epochs=epochs,
    )
    found = diagnose(evaluation, judge_gates(gates, evaluation), trained(share, losses, general_losses))
    return found.verdict, found.message


@pytest.mark.parametrize(
    ("in_domain", "general", "share", "verdict", "words"),
    [
        pytest.param(0.5, 0.0, 0.5, BALANCED, "keep this blend", id="balanced"),
        pytest.param(0.5, -0.03, 0.5, BALANCED, "general -0.03 [-0.08, +0.02]", id="loss within noise"),
        pytest.param(0.5, -0.3, 0.5, FORGETTING, "try 33% in-domain and 67% general", id="forgetting"),
        pytest.param(0.5, -0.3, 1.0, FORGETTING, "add a general source", id="domain only"),
        pytest.param(0.0, -0.3, 0.5, FORGETTING, "try 33% in-domain", id="forgot and learned nothing"),
        pytest.param(
            0.5, -0.3, 0.05, FORGETTING, "more general data is no remedy", id="forgot in spite of it"
        ),
        pytest.param(0.5, -0.3, None, FORGETTING, "Give the general data more weight", id="unknown blend"),
        pytest.param(-0.03, 0.0, 0.5, IMBALANCED, "try 67% in-domain", id="learned nothing"),
        pytest.param(-0.03, 0.0, 0.0, IMBALANCED, "add an in-domain source", id="general only"),
        pytest.param(-0.03, 0.0, None, IMBALANCED, "Give the in-domain data", id="nothing, unknown blend"),
        pytest.param(-0.03, 0.0, 1.0, NOT_LEARNED, "its share is not the reason", id="nothing, domain only"),
        pytest.param(-0.1, 0.0, 0.5, HARMED, "the rows teach something else", id="in-domain fell"),
        pytest.param(-0.3, -0.6, 0.5, HARMED, "the training damaged the model", id="both collapsed"),
        pytest.param(0.03, 0.0, 0.5, INCONCLUSIVE, "more in-domain questions", id="unsure"),
        pytest.param(None, None, 0.5, INCONCLUSIVE, "enable evaluation.baseline", id="no baseline"),
    ],
)
def test_scores_and_blend(
    in_domain: float | None, general: float | None, share: float | None, verdict: DiagnosisVerdict, words: str
) -> None:
    found, message = diagnosed(in_domain, general, share=share)
    assert found is verdict
    assert words in message


@pytest.mark.parametrize(
    ("losses", "in_domain", "general", "verdict", "words"),
    [
        pytest.param(FALLS, 0.5, 0.0, BALANCED, "ads 4.00 to 1.20", id="still falling"),
        pytest.param(
            LEVELS_OFF, 0.5, 0.0, BALANCED, "to save time: try 2 epochs", id="level, and nothing lost"
        ),
        pytest.param(GROWS, 0.5, 0.0, OVERTRAINED, "grew after epoch 2: 1.500 then, 1.700", id="grows"),
        pytest.param(GROWS, 0.5, 0.0, OVERTRAINED, "Try 2 epochs (spec.blend.budget.epochs)", id="advice"),
        pytest.param(GROWS, 0.5, -0.3, FORGETTING, "Try 2 epochs", id="forgot, and longer than needed"),
        pytest.param(GROWS, 0.0, -0.3, OVERTRAINED, "Try 2 epochs", id="lost without any gain"),
        pytest.param(GROWS, 0.5, 0.0, OVERTRAINED, "this model can be used", id="grows, and nothing lost"),
        pytest.param(GROWS, -0.03, 0.0, OVERTRAINED, "Try 2 epochs", id="learned nothing, and loss grows"),
        pytest.param(
            FALLS,
            -0.03,
            0.0,
            NOT_LEARNED,
            "a larger share is no remedy",
            id="rows learned, not the questions",
        ),
        pytest.param((3.9, 3.8, 3.7), -0.03, 0.0, IMBALANCED, "try 67%", id="hardly any row learned"),
        pytest.param((0.9, 0.3, 0.05), 0.8, -0.45, FORGETTING, "known by heart", id="known by heart"),
        pytest.param(GROWS, None, None, OVERTRAINED, "enable evaluation.baseline", id="losses alone"),
        pytest.param((1.5,), 0.5, 0.0, BALANCED, "keep this blend", id="one epoch says nothing"),
    ],
)
def test_losses_by_epoch(
    losses: tuple[float, ...],
    in_domain: float | None,
    general: float | None,
    verdict: DiagnosisVerdict,
    words: str,
) -> None:
    found, message = diagnosed(in_domain, general, losses=losses)
    assert found is verdict
    assert words in message


@pytest.mark.parametrize(
    ("gates", "in_domain", "general", "verdict", "words"),
    [
        pytest.param((KEPT_DROP,), 0.5, -0.2, BALANCED, "of 0.4, a lenient one", id="allowed"),
        pytest.param((SMALL_DROP,), 0.5, -0.2, FORGETTING, "try 33%", id="gate failed"),
        pytest.param((SMALL_DROP,), 0.5, -0.04, INCONCLUSIVE, "drop of up to 0.09", id="perhaps too much"),
        pytest.param((), 0.5, -0.051, FORGETTING, "try 33%", id="a small drop, and no gate"),
        pytest.param((KEPT_DROP,), 0.5, -0.38, FORGETTING, "general -0.38", id="perhaps more than allowed"),
        pytest.param((WANTED_GAIN,), 0.1, 0.0, IMBALANCED, "in-domain +0.10", id="less than wanted"),
        pytest.param((WANTED_GAIN,), 0.28, 0.0, BALANCED, "in-domain +0.28", id="perhaps as wanted"),
        pytest.param(
            (NO_ERRORS,),
            0.5,
            0.0,
            BALANCED,
            "but inDomain maxCriticalErrors failed",
            id="errors are no imbalance",
        ),
        pytest.param(
            (Gate(metric=Metric.GENERAL, min_score=0.9),),
            0.5,
            0.0,
            BALANCED,
            "but general minScore",
            id="too low",
        ),
    ],
)
def test_gates_say_what_is_tolerated_and_expected(
    gates: tuple[Gate, ...], in_domain: float, general: float, verdict: DiagnosisVerdict, words: str
) -> None:
    found, message = diagnosed(in_domain, general, gates=gates)
    assert found is verdict
    assert words in message


def test_a_poor_score_without_a_sure_gain_is_imbalance() -> None:
    assert diagnosed(0.03, 0.0, score=0.2)[0] is IMBALANCED


@pytest.mark.parametrize(
    ("general_losses", "general", "verdict"),
    [
        pytest.param((4.2, 4.5, 4.8), -0.06, FORGETTING, id="loss rose, score open"),
        pytest.param((4.01, 4.02, 4.04), -0.06, INCONCLUSIVE, id="loss within its tolerance"),
        pytest.param((4.2, 4.5, 4.8), 0.0, BALANCED, id="loss rose, questions surely kept"),
    ],
)
def test_the_loss_on_general_rows_is_evidence_where_the_questions_cannot_tell(
    general_losses: tuple[float, ...], general: float, verdict: DiagnosisVerdict
) -> None:
    evaluation = EvaluationSummary(
        name="ads",
        in_domain=scope("inDomain", 0.8, 0.5),
        general=replace(scope("general", 0.6, general, 0.05 if not general else 0.2), p_value=0.3),
    )
    found = diagnose(evaluation, (), trained(0.5, FALLS, general_losses))
    assert found.verdict is verdict
    assert ("The loss on held-out general rows rose." in found.message) == (verdict is FORGETTING)


def test_what_is_not_seen_is_not_called_kept() -> None:
    """The message names the drop that may hide, the one allowed, and how many questions would tell."""
    evaluation = EvaluationSummary(
        name="ads",
        in_domain=scope("inDomain", 0.8, 0.35),
        general=replace(scope("general", 0.6, -0.18, 0.22), p_value=0.08, minimum_detectable_effect=0.3),
    )
    found = diagnose(evaluation, judge_gates((SMALL_DROP,), evaluation), trained(0.5, ()))
    assert found.verdict is INCONCLUSIVE
    assert "The domain was learned. That what was known is kept is not shown" in found.message
    assert "a general drop of up to 0.40 is not excluded, and the gate allows 0.05" in found.message
    assert "About 720 general questions would tell 0.05 apart; there are 20." in found.message
    without_gate = diagnose(evaluation, (), trained(0.5, ()))
    assert "0.1 would be harmless (without a gate general maxDrop)" in without_gate.message


def test_a_base_model_at_the_ceiling_leaves_nothing_to_gain() -> None:
    evaluation = EvaluationSummary(
        name="ads", in_domain=scope("inDomain", 0.98, 0.01), general=scope("general", 0.6, 0.0)
    )
    found = diagnose(evaluation, (), trained(0.5, ()))
    assert found.verdict is INCONCLUSIVE
    assert "already answers the in-domain questions (0.97)" in found.message


def test_a_gain_short_of_the_gate_is_told_as_one() -> None:
    least = Gate(metric=Metric.IN_DOMAIN, min_score=0.9)
    for share, verdict in ((0.5, IMBALANCED), (1.0, NOT_LEARNED)):
        found, message = diagnosed(0.4, 0.0, score=0.6, gates=(least,), share=share)
        assert found is verdict
        assert "The domain was learned, but not as far as the gate asks" in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"coverage": 0.6}, "Only 60% of the questions were judged", id="coverage"),
        pytest.param(
            {"general": None}, "The domain was learned. The rubric asks no general", id="no general"
        ),
        pytest.param(
            {"in_domain": None, "general": scope("general", 0.6, 0.0)},
            "The rubric asks no in-domain questions",
            id="no in-domain",
        ),
        pytest.param({"not_compared": "another judge"}, "not measured: another judge.", id="not comparable"),
        pytest.param({"general": None, "in_domain": None}, "No question was scored", id="nothing asked"),
        pytest.param(
            {"general": UNSCORED, "in_domain": UNSCORED}, "No question was scored", id="nothing scored"
        ),
        pytest.param(
            {"general": UNSCORED}, "None of the general questions was scored", id="general unscored"
        ),
        pytest.param(
            {"general": scope("general", 0.6), "overall": scope("overall", 0.7, 0.1)},
            "The base model's answers in one of the domains were not scored",
            id="base unscored",
        ),
    ],
)
def test_what_was_not_measured_is_named(change: dict[str, Any], words: str) -> None:
    evaluation = EvaluationSummary(
        name="ads", in_domain=scope("inDomain", 0.8, 0.5), general=scope("general", 0.6, -0.3), coverage=1.0
    )
    if "not_compared" in change:
        change = {**change, "in_domain": scope("inDomain", 0.8), "general": scope("general", 0.6)}
    found = diagnose(replace(evaluation, **change), (), trained(0.5, ()))
    assert found.verdict is INCONCLUSIVE
    assert words in found.message


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        pytest.param(
            {"in_domain": None, "general": scope("general", 0.2, -0.5)},
            FORGETTING,
            "The general score fell: give the general data more weight",
            id="general alone",
        ),
        pytest.param(
            {"general": None, "in_domain": scope("inDomain", 0.2, -0.5)},
            HARMED,
            "something else",
            id="domain alone",
        ),
    ],
)
def test_one_domain_alone_may_show_a_loss(
    change: dict[str, Any], verdict: DiagnosisVerdict, words: str
) -> None:
    evaluation = replace(EvaluationSummary(name="ads", coverage=1.0), **change)
    found = diagnose(evaluation, (), trained(0.5, ()))
    assert found.verdict is verdict
    assert words in found.message
    assert "asks no" in found.message


def test_one_question_shows_no_gain() -> None:
    one = replace(scope("inDomain", 1.0, 1.0, 0.9), n=1, p_value=1.0)
    evaluation = EvaluationSummary(name="ads", in_domain=one, general=scope("general", 0.6, 0.0))
    assert (
        "1 in-domain question cannot show a gain: ask at least 7"
        in diagnose(evaluation, (), trained(0.5, ())).message
    )


@pytest.mark.parametrize(
    ("result", "verdict", "words"),
    [
        pytest.param(GateResult.PASSED, BALANCED, "what was known is kept", id="passed"),
        pytest.param(GateResult.FAILED, FORGETTING, "The loss on general text rose", id="failed"),
        pytest.param(GateResult.INCONCLUSIVE, INCONCLUSIVE, "up to 0.40 is not excluded", id="open"),
    ],
)
def test_retention_decides_what_the_questions_leave_open(
    result: GateResult, verdict: DiagnosisVerdict, words: str
) -> None:
    gate = GateStatus(metric=Metric.RETENTION, rule="maxRise", threshold=0.05, result=result)
    evaluation = EvaluationSummary(
        name="ads",
        in_domain=scope("inDomain", 0.8, 0.35),
        general=replace(scope("general", 0.6, -0.18, 0.22), p_value=0.08),
    )
    found = diagnose(evaluation, (gate,), trained(0.5, ()))
    assert found.verdict is verdict
    assert words in found.message
    assert "A gate on retention" not in found.message


def test_a_failed_gate_alone_says_nothing_of_losses() -> None:
    """The interval lies beyond the gate, the p-value is just short, and no loss was measured."""
    general = replace(scope("general", 0.6, -0.25, 0.14), p_value=0.06)
    evaluation = EvaluationSummary(name="ads", in_domain=scope("inDomain", 0.8, 0.5), general=general)
    found = diagnose(evaluation, judge_gates((SMALL_DROP,), evaluation), trained(0.5, ()))
    assert found.verdict is FORGETTING
    assert "loss" not in found.message.lower()
