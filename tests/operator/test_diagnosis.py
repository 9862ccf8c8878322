from __future__ import annotations

import pytest
from tests.operator.builders import fine_tune, scope

from blendtune_api.v1alpha1 import (
    BlendedSource,
    BlendStatus,
    DiagnosisVerdict,
    EvaluationSummary,
)
from blendtune_operator.plan.diagnosis import diagnose


def summary(in_domain: float | None, general: float | None) -> EvaluationSummary:
    return EvaluationSummary(
        name="ads",
        in_domain=scope("inDomain", 0.8, in_domain),
        general=scope("general", 0.6, general),
    )


def blend(in_domain_share: float) -> BlendStatus:
    shares = {"ads": in_domain_share, "general": 1 - in_domain_share}
    return BlendStatus(
        digest="d",
        tokens=1,
        sources=tuple(
            BlendedSource(name=name, examples=1, tokens=1, target_share=share, achieved_share=share, epochs=1)
            for name, share in shares.items()
        ),
    )


@pytest.mark.parametrize(
    ("in_domain", "general", "share", "verdict", "words"),
    [
        pytest.param(0.5, 0.0, 0.5, DiagnosisVerdict.BALANCED, "keep this blend", id="balanced"),
        pytest.param(0.5, -0.3, 0.5, DiagnosisVerdict.FORGETTING, "try 33% in-domain", id="forgetting"),
        pytest.param(0.5, -0.3, 1.0, DiagnosisVerdict.FORGETTING, "add a general source", id="domain only"),
        pytest.param(
            -0.1, 0.0, 0.5, DiagnosisVerdict.IMBALANCED_BLEND, "try 67% in-domain", id="learned nothing"
        ),
        pytest.param(
            -0.1, 0.0, 0.0, DiagnosisVerdict.IMBALANCED_BLEND, "add an in-domain source", id="general only"
        ),
        pytest.param(0.03, 0.0, 0.5, DiagnosisVerdict.INCONCLUSIVE, "more in-domain questions", id="unsure"),
        pytest.param(
            None, None, 0.5, DiagnosisVerdict.INCONCLUSIVE, "enable evaluation.baseline", id="no baseline"
        ),
    ],
)
def test_the_verdict_and_what_to_try(
    in_domain: float | None, general: float | None, share: float, verdict: DiagnosisVerdict, words: str
) -> None:
    found = diagnose(fine_tune(), blend(share), summary(in_domain, general))
    assert found.verdict is verdict
    assert words in found.message
