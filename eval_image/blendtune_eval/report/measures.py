"""Everything that was measured, in one list: the rubric's scopes, retention and the benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from blendtune_api.v1alpha1 import BenchmarkScore, GateStatus, Metric, RetentionScore, ScopeScore
from blendtune_eval.report.model import Report
from blendtune_eval.report.words import signed, title

_NAT_DIGITS = 3  # a difference of 0.01 nats counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """One row. Numbers are as they are shown; `moved` says which way it surely went: better or worse."""

    group: str
    name: str
    detail: str
    base: str
    tuned: str
    difference: str
    interval: str
    moved: str
    gates: tuple[GateStatus, ...]


def measures(report: Report) -> tuple[Measured, ...]:
    scores, gates = report.scores, report.gates
    scopes = (scores.in_domain, scores.general, scores.overall, *scores.dimensions)
    return (
        *(_scope(scope, _of(gates, scope.name)) for scope in scopes),
        *(_retention(kept, _of(gates, Metric.RETENTION)) for kept in scores.retention),
        *(
            _benchmark(benchmark, _of(gates, Metric.BENCHMARK, benchmark.name))
            for benchmark in scores.benchmarks
        ),
    )


def groups(rows: Iterable[Measured]) -> Iterator[tuple[str, list[Measured]]]:
    """The rows of each group, in their order."""
    by_group: dict[str, list[Measured]] = {}
    for row in rows:
        by_group.setdefault(row.group, []).append(row)
    yield from by_group.items()


def _scope(scope: ScopeScore, gates: tuple[GateStatus, ...]) -> Measured:
    unscored = f", {scope.unscored} unscored" if scope.unscored else ""
    return Measured(
        group="Rubric: scores from 0 to 1, more is better",
        name=title(scope.name),
        detail=f"{scope.n} questions{unscored}",
        base=_number(scope.baseline_score, 2),
        tuned=_number(scope.score, 2),
        difference=signed(scope.delta),
        interval=_interval(scope.delta_low, scope.delta_high, 2),
        moved=_moved(scope.delta_low, scope.delta_high),
        gates=gates,
    )


def _retention(kept: RetentionScore, gates: tuple[GateStatus, ...]) -> Measured:
    return Measured(
        group="Retention: loss on general text in nats per token, less is better",
        name=title(kept.text),
        detail=f"{kept.rows:,} rows, {kept.tokens:,} tokens; predictions moved by {kept.divergence:.3f} (KL)",
        base=_number(kept.baseline, _NAT_DIGITS),
        tuned=_number(kept.loss, _NAT_DIGITS),
        difference=signed(kept.rise, _NAT_DIGITS),
        interval=_interval(kept.rise_low, kept.rise_high, _NAT_DIGITS),
        moved=_moved(-kept.rise_high, -kept.rise_low),
        gates=gates,
    )


def _benchmark(benchmark: BenchmarkScore, gates: tuple[GateStatus, ...]) -> Measured:
    errors = [
        f"{whose} ± {error:.3f}"
        for whose, error in (
            ("base", benchmark.baseline_standard_error),
            ("tuned", benchmark.standard_error),
        )
        if error is not None
    ]
    also = (f"also {benchmark.also}",) if benchmark.also else ()
    return Measured(
        group="Standard benchmarks by lm-evaluation-harness, on the scale of each metric",
        name=benchmark.name,
        detail="; ".join((f"{benchmark.metric}, {benchmark.n:,} samples", *errors, *also)),
        base=_number(benchmark.baseline_score, 3),
        tuned=_number(benchmark.score, 3),
        difference=signed(benchmark.delta, 3),
        interval=_interval(benchmark.delta_low, benchmark.delta_high, 3),
        moved="" if benchmark.gain is None else _moved(*benchmark.gain[1:]),
        gates=gates,
    )


def _of(gates: Sequence[GateStatus], metric: str, name: str = "") -> tuple[GateStatus, ...]:
    return tuple(gate for gate in gates if (gate.metric, gate.name) == (metric, name))


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _interval(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"{signed(low, digits)} to {signed(high, digits)}"


def _moved(low: float | None, high: float | None) -> str:
    """Of a difference that is wanted to be large."""
    if low is None or high is None or low <= 0 <= high:
        return ""
    return "better" if low > 0 else "worse"
