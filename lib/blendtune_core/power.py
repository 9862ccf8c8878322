"""Statistical power: which differences a rubric can detect, and which gates it has too few questions for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

from blendtune_api.codec import Fault
from blendtune_api.v1alpha1 import Gate, Interpolation, Metric

ASSUMED_DEVIATION = 0.3  # standard deviation of a question's delta, tuned against base model
LEVEL = 0.95  # of intervals
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
_Z_POWER = NormalDist().inv_cdf(0.8)
NO_BASELINE = "there is no baseline to compare with: the gate will stay inconclusive; name one"


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionCounts:
    """The number of a rubric's questions, by domain."""

    general: int
    in_domain: int

    def of(self, metric: Metric) -> int:
        """The number of questions that a metric is computed over."""
        match metric:
            case Metric.GENERAL:
                return self.general
            case Metric.IN_DOMAIN | Metric.BUSINESS_IMPACT:
                return self.in_domain
            case Metric.OVERALL | Metric.RELIABILITY | Metric.CONSISTENCY:
                return self.general + self.in_domain
            case Metric.RETENTION | Metric.BENCHMARK:
                return 0


def critical_value(level: float) -> float:
    """How many standard errors a two-sided interval of this level reaches to either side."""
    return NormalDist().inv_cdf((1 + level) / 2)


def level_of(candidates: int) -> float:
    """The level of each interval at which those of all candidates hold together in 95% of cases (Bonferroni).

    Candidates are the models of which one is to be taken by these intervals.
    """
    return 1 - (1 - LEVEL) / max(1, candidates)


def critical_of(candidates: int) -> float:
    """The critical value of an interval of `level_of` the candidates."""
    return critical_value(level_of(candidates))


def candidates_of(asked: Interpolation | None) -> int:
    """The models of which an evaluation takes one: those between base and tuned model, and the tuned one."""
    return 1 if asked is None else len(asked.weights) + 1


def detectable_difference(
    questions: float, deviation: float = ASSUMED_DEVIATION, critical: float = Z
) -> float:
    """The smallest mean delta that is found with 80% power at a two-sided level of 5%.

    By the normal approximation; `deviation` is the standard deviation of a question's delta, `critical` the
    critical value of its interval.
    """
    return (critical + _Z_POWER) * deviation / sqrt(questions)


def unresolved(
    gates: Iterable[Gate],
    counts: QuestionCounts,
    path: str,
    *,
    has_baseline: bool = True,
    candidates: int = 1,
) -> tuple[Fault, ...]:
    """A fault at `path`[i] for each gate that will mostly be inconclusive, or can never pass.

    The reason is that there are too few questions, for as many `candidates` as one is to be taken of, or, for
    a gate on a difference, that there is no baseline.
    """
    found = (
        (
            index,
            why_unresolved(gate, counts, candidates) if has_baseline or not compares(gate) else NO_BASELINE,
        )
        for index, gate in enumerate(gates)
    )
    return tuple(Fault(f"{path}[{index}]", message) for index, message in found if message)


def compares(gate: Gate) -> bool:
    """Whether the gate is on a difference to the baseline."""
    return gate.min_gain is not None or gate.max_drop is not None or gate.max_rise is not None


def why_unresolved(gate: Gate, counts: QuestionCounts, candidates: int = 1) -> str:
    """Why there are too few questions for the gate, and what to do; empty if there are enough."""
    if gate.metric in (Metric.RETENTION, Metric.BENCHMARK):
        return ""
    questions = counts.of(gate.metric)
    if questions == 0:
        return f"the rubric has no question for {gate.metric}: the gate will stay inconclusive"
    if gate.min_score is not None:
        return out_of_reach(gate, counts, candidates)
    if gate.max_drop is not None:
        return _too_fine(f"{gate.metric} maxDrop", gate.max_drop, questions, candidates)
    if gate.min_gain:
        return _too_fine(f"{gate.metric} minGain", gate.min_gain, questions, candidates)
    return ""


def out_of_reach(gate: Gate, counts: QuestionCounts, candidates: int = 1) -> str:
    """A fault if even the interval of a perfect score lies below the gate's minScore; else empty.

    Wilson's interval of a perfect score over n questions begins at n / (n + z^2). That of businessImpact is
    twice as wide: its values run from -1 to 1.
    """
    metric, least, questions = gate.metric, gate.min_score or 0.0, counts.of(gate.metric)
    depth = 2 if metric is Metric.BUSINESS_IMPACT else 1
    squared = critical_of(candidates) ** 2
    perfect = 1 - depth * squared / (questions + squared)
    if perfect >= least:
        return ""
    return (
        f"{metric} minScore {least:g} cannot pass: with {questions} questions the 95% interval of a perfect "
        f"score begins at {perfect:.2f}; ask more questions, or lower it"
    )


def _too_fine(gate: str, margin: float, questions: int, candidates: int) -> str:
    least = detectable_difference(questions, critical=critical_of(candidates))
    if margin >= least:
        return ""
    needed = f"ask {ceil(questions * (least / margin) ** 2)} questions, or " if margin else ""
    return (
        f"{gate} {margin:g} is finer than {questions} questions tell apart: expect it to be inconclusive for "
        f"differences within {least:.2f} of it; {needed}allow {least:.2f}"
    )
