"""What each gate can tell apart before anything runs: by the number of questions, rows or samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import ceil, sqrt

from blendtune_api.v1alpha1 import Gate, Metric
from blendtune_core.power import (
    ASSUMED_DEVIATION,
    NO_BASELINE,
    QuestionCounts,
    Z,
    compares,
    critical_of,
    detectable_difference,
    out_of_reach,
)

ASSUMED_LEVEL_DEVIATION = 0.4  # of a question's score, between right and wrong
ASSUMED_ROW_DEVIATION = 0.1  # nats per token, of the rise of a row's loss; it grows with the rise itself
ASSUMED_SAMPLE_DEVIATION = 0.32  # of a benchmark's difference where one sample in ten changes: sqrt(0.1)
USUAL_RISE = 0.05  # nats per token, of the gate on retention that is advised
FEWEST_UNITS = 10  # below, a normal approximation means little
# Samples of the test splits that lm-evaluation-harness takes, as the papers of the benchmarks state them.
KNOWN_SAMPLES: Mapping[str, int] = {
    "arc_challenge": 1172,
    "arc_easy": 2376,
    "boolq": 3270,
    "gsm8k": 1319,
    "hellaswag": 10_042,
    "mmlu": 14_042,
    "openbookqa": 500,
    "piqa": 1838,
    "truthfulqa_mc2": 817,
    "winogrande": 1267,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """What a pilot has measured: the deviation of one unit's difference, and the number of units."""

    deviation: float
    units: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """What an evaluation measures: questions, most rows of retention, and what a pilot found.

    `pilot` is by subject, as `GateStatus.subject` names it. One of so many `candidates` is taken.
    """

    questions: QuestionCounts
    retention_rows: int
    has_baseline: bool = True
    candidates: int = 1
    pilot: Mapping[str, Spread] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolution:
    """The smallest difference that a gate finds with 80% power, over so many units; and what to do."""

    unit: str
    units: int
    deviation: float
    is_measured: bool
    least: float
    advice: str = ""

    @property
    def decides(self) -> bool:
        return not self.advice


def resolution(gate: Gate, measures: Measures) -> Resolution | None:
    """None where nothing tells how many units there are, for counts, and where nothing is compared."""
    units = _units(gate, measures)
    if units == 0 or gate.max_critical_errors is not None or (compares(gate) and not measures.has_baseline):
        return None
    spread = None if gate.min_score is not None else measures.pilot.get(gate.subject)
    deviation = spread.deviation if spread else _assumed(gate)
    found = Resolution(
        unit=_unit(gate.metric),
        units=units,
        deviation=deviation,
        is_measured=spread is not None,
        least=detectable_difference(units, deviation, critical_of(measures.candidates)),
    )
    threshold = _threshold(gate)
    any_gain = gate.min_gain is not None and not threshold
    if gate.min_score is not None or any_gain or threshold >= found.least:
        return found
    return replace(found, advice=_what_would(gate.metric, threshold, found, measures))


def told(gate: Gate, measures: Measures) -> str:
    """What the gate can tell apart, in a sentence or two."""
    if gate.max_critical_errors is not None:
        return "critical errors are counted, so the gate is always decided"
    if compares(gate) and not measures.has_baseline:
        return NO_BASELINE
    if gate.min_score is not None and (reason := out_of_reach(gate, measures.questions, measures.candidates)):
        return reason
    found = resolution(gate, measures)
    if found is None:
        return _unknown(gate, measures)
    source = "measured by the pilot" if found.is_measured else "assumed"
    over = f"over {found.units:,} {found.unit} with a spread of {found.deviation:.2g} ({source})"
    if gate.min_score is not None:
        return f"is open for scores within {found.least:.2g} of it, {over}"
    sentence = f"tells {found.least:.2g} apart, {over}"
    if not found.decides:
        return f"{sentence}: mostly open. {found.advice}"
    return (
        sentence
        if gate.min_gain is not None
        else f"{sentence}: decided in 4 runs of 5 where nothing was lost"
    )


def _threshold(gate: Gate) -> float:
    given = (gate.max_rise, gate.max_drop, gate.min_gain)
    return next((value for value in given if value is not None), 0.0)


def _unit(metric: Metric) -> str:
    return {Metric.RETENTION: "rows", Metric.BENCHMARK: "samples"}.get(metric, "questions")


def _assumed(gate: Gate) -> float:
    if gate.min_score is not None:
        return ASSUMED_LEVEL_DEVIATION
    of = {Metric.RETENTION: ASSUMED_ROW_DEVIATION, Metric.BENCHMARK: ASSUMED_SAMPLE_DEVIATION}
    return of.get(gate.metric, ASSUMED_DEVIATION)


def _units(gate: Gate, measures: Measures) -> int:
    """How many questions, rows or samples there will be; 0 where that is not known, or none.

    Retention is judged by the text that was kept worst, so it counts the base model's answers: one to each
    general question. A pilot has counted.
    """
    spread = measures.pilot.get(gate.subject)
    if gate.metric is Metric.BENCHMARK:
        return spread.units if spread else KNOWN_SAMPLES.get(gate.name or "", 0)
    if gate.metric is Metric.RETENTION:
        return min(measures.retention_rows, spread.units if spread else measures.questions.general)
    return measures.questions.of(gate.metric)


def _unknown(gate: Gate, measures: Measures) -> str:
    if gate.metric is Metric.BENCHMARK:
        needed = _needed(_threshold(gate), ASSUMED_SAMPLE_DEVIATION, measures.candidates)
        return (
            f"its number of samples is not known here: {_about(needed, 'samples')} tell the threshold apart"
        )
    if gate.metric is Metric.RETENTION:
        if not measures.retention_rows:
            return "retention.rows is 0, so nothing is measured: the gate stays open"
        return (
            "the rubric has no general question: only held-out general rows count, and fewer than 10 do not"
        )
    return f"the rubric has no question for {gate.metric}: the gate stays open"


def _what_would(metric: Metric, threshold: float, found: Resolution, measures: Measures) -> str:
    """Which number of units, and which other measure, would tell the threshold apart."""
    if threshold <= 0:
        return "No number of them shows that nothing at all changed: allow a small difference."
    candidates = measures.candidates
    needed = max(FEWEST_UNITS, _needed(threshold, found.deviation, candidates))
    if metric is Metric.RETENTION:
        return (
            f"{_about(needed, 'rows')} would do: ask as many general questions, and hold out as many general "
            f"rows; or allow {found.least:.2g}."
        )
    if metric is Metric.BENCHMARK:
        return f"{_about(needed, 'samples')} would do: name a larger benchmark, or allow {found.least:.2g}."
    more = f"{_about(needed, 'questions')} would do, or allow {found.least:.2g}."
    if metric not in (Metric.GENERAL, Metric.OVERALL):
        return more
    rows = _needed(USUAL_RISE, measures.pilot.get("retention", _ASSUMED_ROWS).deviation, candidates)
    samples = _needed(threshold, ASSUMED_SAMPLE_DEVIATION, candidates)
    return (
        f"{more} What was kept is seen by `retention`: {_about(max(FEWEST_UNITS, rows), 'rows').lower()} "
        f"decide maxRise {USUAL_RISE:g}; or by a `benchmark` of {_about(samples, 'samples').lower()}."
    )


_ASSUMED_ROWS = Spread(deviation=ASSUMED_ROW_DEVIATION, units=0)


def _needed(threshold: float, deviation: float, candidates: int) -> int:
    """The units over which a difference of `threshold` is found with 80% power."""
    least = detectable_difference(1, deviation, critical_of(candidates))
    return ceil((least / threshold) ** 2) if threshold > 0 else 0


def _about(count: int, unit: str) -> str:
    """A count to two digits, rounded up: more would be false precision."""
    step = 10 ** max(0, len(str(count)) - 2)
    return f"About {ceil(count / step) * step:,} {unit}"


def spread_of(low: float, high: float, units: int, critical: float = Z) -> Spread | None:
    """The deviation of one unit by an interval over `units`; None where it says nothing."""
    if units < FEWEST_UNITS or high <= low:
        return None
    return Spread(deviation=(high - low) / (2 * critical) * sqrt(units), units=units)
