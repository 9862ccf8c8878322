"""What the scores after earlier epochs say of the number of epochs."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import EpochScope, EpochScore
from blendtune_core.score_curve import ScoreCurve

Gain = tuple[float, float]  # interval of what was gained since


def after(epoch: int, in_domain: Gain | None, general: Gain | None = (-0.05, 0.05)) -> EpochScore:
    return EpochScore(epoch=epoch, in_domain=gained(in_domain), general=gained(general))


def gained(interval: Gain | None) -> EpochScope | None:
    if interval is None:
        return None
    low, high = interval
    return EpochScope(score=0.5, gain=(low + high) / 2, low=low, high=high)


@pytest.mark.parametrize(
    ("epochs", "fell", "advice"),
    [
        pytest.param([], False, "", id="nothing known"),
        pytest.param([after(1, (0.2, 0.4)), after(2, (0.01, 0.2))], False, "", id="rose to the end"),
        pytest.param([after(1, (-0.2, 0.3))], False, "", id="unsure"),
        pytest.param(
            [after(1, (0.2, 0.4)), after(2, (-0.03, 0.02))], False, "Try 2 epochs ", id="levelled off"
        ),
        pytest.param([after(1, (-0.01, 0.01)), after(2, (-0.01, 0.01))], False, "Try 1 epoch ", id="at once"),
        pytest.param(
            [after(1, (0.2, 0.4)), after(2, (-0.02, 0.3), (-0.2, -0.1))],
            True,
            "Try 2 epochs ",
            id="general fell",
        ),
        pytest.param([after(2, (-0.3, -0.1))], True, "Try 2 epochs ", id="in-domain fell"),
        pytest.param([after(1, (0.1, 0.3), (-0.2, -0.1))], False, "", id="one rose as the other fell"),
        pytest.param([after(1, (-0.03, 0.02), (0.1, 0.2))], False, "", id="general still rose"),
        pytest.param([after(1, None)], False, "", id="no in-domain questions"),
    ],
)
def test_the_number_of_epochs(epochs: list[EpochScore], fell: bool, advice: str) -> None:
    curve = ScoreCurve(tuple(epochs))
    assert curve.fell is fell
    assert curve.is_overtrained is bool(advice)
    assert curve.advice.startswith(advice) and bool(curve.advice) is bool(advice)


def test_the_evidence_names_epoch_and_change() -> None:
    curve = ScoreCurve((after(1, (0.2, 0.4)), after(2, (-0.3, -0.1), (-0.05, 0.05))))
    assert curve.evidence == "The scores fell after epoch 2; since then in-domain -0.20, general +0.00."
