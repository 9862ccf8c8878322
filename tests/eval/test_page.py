"""The sentence that gives the reason of the verdict."""

from __future__ import annotations

from typing import Any

import pytest

from blendtune_eval.report.page import verdict_reason

ROSE = {"delta": 0.4, "pValue": 0.01}
FELL = {"delta": -0.4, "pValue": 0.01}
UNSURE = {"delta": 0.4, "pValue": 0.2}


def scores(in_domain: Any, general: Any, **others: Any) -> dict[str, Any]:
    domains = {"inDomain": {"name": "inDomain"} | in_domain, "general": {"name": "general"} | general}
    return {"verdict": "as may be", "coverage": 1.0, **domains, **others}


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        pytest.param(scores(ROSE, FELL), "In-domain rose, general fell.", id="apart"),
        pytest.param(scores(ROSE, UNSURE), "In-domain rose, general did not surely change.", id="one"),
        pytest.param(scores(FELL, FELL), "In-domain and general fell.", id="both"),
        pytest.param(scores({}, {}), "In-domain and general did not surely change.", id="nothing"),
        pytest.param(
            scores(ROSE, FELL, coverage=0.5), "Only 50% of the questions could be scored.", id="unscored"
        ),
        pytest.param({"coverage": 1.0}, "", id="no verdict"),
    ],
)
def test_it_names_what_moved(measured: Any, reason: str) -> None:
    assert verdict_reason(measured) == reason
