"""Names and numbers as the page shows them."""

from __future__ import annotations

from blendtune_api.v1alpha1 import GateStatus

_TITLES = {
    "overall": "Overall",
    "general": "General",
    "inDomain": "In-domain",
    "reliability": "Reliability",
    "consistency": "Consistency",
    "businessImpact": "Business impact",
    "minScore": "at least",
    "minGain": "gain at least",
    "maxDrop": "drop at most",
    "maxCriticalErrors": "critical errors at most",
    "maxRise": "loss may rise by at most",
    "retention": "Retention",
    "benchmark": "Benchmark",
    "heldOutRows": "General rows held out of the training",
    "baseAnswers": "The base model's own answers to general questions",
    "correct": "correct",
    "wrong": "wrong",
    "notAttempted": "not attempted",
    "ImbalancedBlend": "Imbalanced blend",
    "NotLearned": "Not learned",
}


def title(name: str) -> str:
    return _TITLES.get(name, name)


def score(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def signed(value: float | None, digits: int = 2) -> str:
    """With its sign, unless it rounds to 0; a dash for None."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text[1:] if not text.strip("+−0.") else text


def threshold(gate: GateStatus) -> str:
    """What a gate asks for, as in `drop at most 0.1`."""
    return f"{title(gate.rule)} {gate.threshold:g}"


def short(digest: str) -> str:
    return digest[:12]
