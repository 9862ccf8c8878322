from __future__ import annotations

from dataclasses import replace

import pytest
from tests.operator.builders import scope

from blendtune_api.v1alpha1 import (
    BlendedSource,
    DiagnosisVerdict,
    EpochLoss,
    EpochScore,
    EvaluationSummary,
    Gate,
    Metric,
    Role,
    SourceLoss,
)
from blendtune_core.diagnosis import Trained, diagnose
from blendtune_core.gates import judge_gates

BALANCED, INCONCLUSIVE = DiagnosisVerdict.BALANCED, DiagnosisVerdict.INCONCLUSIVE
FORGETTING, IMBALANCED = DiagnosisVerdict.FORGETTING, DiagnosisVerdict.IMBALANCED_BLEND
OVERTRAINED = DiagnosisVerdict.OVERTRAINED
FALLS, LEVELS_OFF, GROWS = (2.0, 1.5, 1.2), (2.0, 1.5, 1.495), (2.0, 1.5, 1.7)
KEPT_DROP = Gate(metric=Metric.GENERAL, max_drop=0.4)
NO_ERRORS = Gate(metric=Metric.IN_DOMAIN, max_critical_errors=0)
WANTED_GAIN = Gate(metric=Metric.IN_DOMAIN, min_gain=0.3)


def trained(in_domain_share: float, ads: tuple[float, ...]) -> Trained:
    """Validation losses of the domain by epoch; those of the general source fall all the while."""
    shares = {"ads": in_domain_share, "general": 1 - in_domain_share}
    losses = {"ads": ads, "general": tuple(3.0 - 0.5 * epoch for epoch in range(len(ads)))}
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
    share: float = 0.5,
    losses: tuple[float, ...] = (),
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
    found = diagnose(evaluation, judge_gates(gates, evaluation), trained(share, losses))
    return found.verdict, found.message


@pytest.mark.parametrize(
    ("in_domain", "general", "share", "verdict", "words"),
    [
        pytest.param(0.5, 0.0, 0.5, BALANCED, "keep this blend", id="balanced"),
        pytest.param(0.5, -0.03, 0.5, BALANCED, "general -0.03 [-0.08, +0.02]", id="loss within noise"),
        pytest.param(0.5, -0.3, 0.5, FORGETTING, "try 33% in-domain and 67% general", id="forgetting"),
        pytest.param(0.5, -0.3, 1.0, FORGETTING, "add a general source", id="domain only"),
        pytest.param(0.0, -0.3, 0.5, FORGETTING, "try 33% in-domain", id="forgot and learned nothing"),
        pytest.param(-0.1, 0.0, 0.5, IMBALANCED, "try 67% in-domain", id="learned nothing"),
        pytest.param(-0.1, 0.0, 0.0, IMBALANCED, "add an in-domain source", id="general only"),
        pytest.param(0.03, 0.0, 0.5, INCONCLUSIVE, "more in-domain questions", id="unsure"),
        pytest.param(None, None, 0.5, INCONCLUSIVE, "enable evaluation.baseline", id="no baseline"),
    ],
)
def test_scores_and_blend(
    in_domain: float | None, general: float | None, share: float, verdict: DiagnosisVerdict, words: str
) -> None:
    found, message = diagnosed(in_domain, general, share=share)
    assert found is verdict
    assert words in message


@pytest.mark.parametrize(
    ("losses", "in_domain", "general", "verdict", "words"),
    [
        pytest.param(FALLS, 0.5, 0.0, BALANCED, "ads 4.00 to 1.20", id="still falling"),
        pytest.param(
            LEVELS_OFF, 0.5, 0.0, OVERTRAINED, "levelled off after epoch 2: 1.500 then, 1.495", id="level"
        ),
        pytest.param(GROWS, 0.5, 0.0, OVERTRAINED, "grew after epoch 2: 1.500 then, 1.700", id="grows"),
        pytest.param(GROWS, 0.5, 0.0, OVERTRAINED, "Try 2 epochs (spec.blend.budget.epochs)", id="advice"),
        pytest.param(GROWS, 0.5, -0.3, FORGETTING, "Try 2 epochs", id="forgot, and longer than needed"),
        pytest.param(GROWS, 0.0, -0.3, OVERTRAINED, "Try 2 epochs", id="lost without any gain"),
        pytest.param(GROWS, -0.1, 0.0, OVERTRAINED, "Try 2 epochs", id="learned nothing, and loss grows"),
        pytest.param(LEVELS_OFF, -0.1, 0.0, IMBALANCED, "try 67%", id="learned nothing, and loss is level"),
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
        pytest.param((KEPT_DROP,), 0.5, -0.2, BALANCED, "gate on general allows that drop", id="allowed"),
        pytest.param((KEPT_DROP,), 0.5, -0.38, FORGETTING, "general -0.38", id="perhaps more than allowed"),
        pytest.param((WANTED_GAIN,), 0.1, 0.0, IMBALANCED, "in-domain +0.10", id="less than wanted"),
        pytest.param((WANTED_GAIN,), 0.28, 0.0, BALANCED, "in-domain +0.28", id="perhaps as wanted"),
        pytest.param((NO_ERRORS,), 0.5, 0.0, BALANCED, "keep this blend", id="errors are no imbalance"),
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
