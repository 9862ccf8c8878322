"""What a rubric can tell apart: whether its number of questions can carry the margin of a gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

from blendtune_api.codec import Fault
from blendtune_api.v1alpha1 import Gate, Metric

ASSUMED_DEVIATION = 0.3  # of a question's difference between two models of which one was tuned from the other
UPPER_END = 0.975  # the probability below the upper end of a two-sided 95% interval
Z = NormalDist().inv_cdf(UPPER_END)
_Z_POWER = NormalDist().inv_cdf(0.8)
_ALONE = "there is no baseline to compare with: the gate will stay inconclusive; name one, or use minScore"


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionCounts:
    """Questions of a rubric, by domain."""

    general: int
    in_domain: int

    def of(self, metric: Metric) -> int:
        match metric:
            case Metric.GENERAL:
                return self.general
            case Metric.IN_DOMAIN | Metric.BUSINESS_IMPACT:
                return self.in_domain
            case Metric.OVERALL | Metric.RELIABILITY | Metric.CONSISTENCY:
                return self.general + self.in_domain


BUILTIN_RUBRICS: Mapping[str, QuestionCounts] = {
    "business45": QuestionCounts(general=22, in_domain=23),
    "healthcare45": QuestionCounts(general=22, in_domain=23),
    "legal45": QuestionCounts(general=22, in_domain=23),
}


def detectable(questions: float, deviation: float = ASSUMED_DEVIATION) -> float:
    """Smallest difference found with 80% power at 5%, by normal approximation.

    `deviation` is that of a question's difference.
    """
    return (Z + _Z_POWER) * deviation / sqrt(questions)


def unresolved(
    gates: Iterable[Gate], counts: QuestionCounts, path: str, *, has_baseline: bool = True
) -> tuple[Fault, ...]:
    """The gates, at `path`[i], that so few questions will mostly leave inconclusive, or can't ever pass.

    Without a baseline none that asks for a difference can.
    """
    found = (
        (index, why_unresolved(gate, counts) if has_baseline or not _compares(gate) else _ALONE)
        for index, gate in enumerate(gates)
    )
    return tuple(Fault(f"{path}[{index}]", message) for index, message in found if message)


def _compares(gate: Gate) -> bool:
    return gate.min_gain is not None or gate.max_drop is not None


def why_unresolved(gate: Gate, counts: QuestionCounts) -> str:
    """Why so few questions cannot carry the gate, and what would; empty where they can."""
    questions = counts.of(gate.metric)
    if questions == 0:
        return f"the rubric has no question for {gate.metric}: the gate will stay inconclusive"
    if gate.min_score is not None:
        return _out_of_reach(gate.metric, gate.min_score, questions)
    if gate.max_drop is not None:
        return _too_fine(f"{gate.metric} maxDrop", gate.max_drop, questions)
    if gate.min_gain:
        return _too_fine(f"{gate.metric} minGain", gate.min_gain, questions)
    return ""


def _out_of_reach(metric: Metric, least: float, questions: int) -> str:
    """Wilson's interval of a perfect score begins at n / (n + z^2); that of an impact is twice as deep."""
    depth = 2 if metric is Metric.BUSINESS_IMPACT else 1
    perfect = 1 - depth * Z**2 / (questions + Z**2)
    if perfect >= least:
        return ""
    return (
        f"{metric} minScore {least:g} cannot pass: with {questions} questions the 95% interval of a perfect "
        f"score begins at {perfect:.2f}; ask more questions, or lower it"
    )


def _too_fine(gate: str, margin: float, questions: int) -> str:
    least = detectable(questions)
    if margin >= least:
        return ""
    needed = f"ask {ceil(questions * (least / margin) ** 2)} questions, or " if margin else ""
    return (
        f"{gate} {margin:g} is finer than {questions} questions tell apart: expect it to be inconclusive for "
        f"differences within {least:.2f} of it; {needed}allow {least:.2f}"
    )
