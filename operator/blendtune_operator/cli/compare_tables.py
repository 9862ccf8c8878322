"""The tables of `blendtune compare`, as text: the terminal and the page show the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from blendtune_api.contract import ReadReport
from blendtune_api.v1alpha1 import GateStatus, ScopeScore
from blendtune_core.comparison import ComparedScope, Comparison

NONE = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class TextTable:
    """Rows of one group stand together, and begin with the same cell."""

    title: str
    note: str
    heads: tuple[str, ...]
    groups: tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Runs:
    """What is compared: letters stand for the runs in every table, the first being the one compared with."""

    labels: tuple[str, ...]
    reports: tuple[ReadReport, ...]

    @property
    def letters(self) -> tuple[str, ...]:
        return tuple(chr(ord("A") + index) for index in range(len(self.reports)))

    @property
    def share_a_base(self) -> bool:
        """Whether all were compared with one base model."""
        bases = {
            report.respondents[1].digest if len(report.respondents) > 1 else "" for report in self.reports
        }
        return len(bases) == 1 and "" not in bases


def tables(runs: Runs, comparison: Comparison) -> Iterator[TextTable]:
    """Those that have rows, in the order in which they are read."""
    titles = {category.name: category.title for category in runs.reports[0].rubric.categories}
    paired = _how(comparison)
    yield _runs(runs)
    yield _scores("Scores", paired, runs, comparison.headline, comparison.level, {})
    yield _scores(
        "Categories", "They describe; with so few questions each, they decide nothing.",
        runs, comparison.categories, comparison.level, titles,
    )  # fmt: skip
    others = (_dimensions(runs), _retention(runs), _benchmarks(runs), _gates(runs), _blend(runs))
    yield from (table for table in others if table.groups)


def _how(comparison: Comparison) -> str:
    level = f"{comparison.level:.4%}".rstrip("0%").rstrip(".") + "%"
    told = f"Differences are paired by question; their intervals have a level of {level}."
    if comparison.pairs == 1:
        return told
    return (
        f"{told} The runs make {comparison.pairs} pairs, and each interval pays for all of them: 1 - 0.05/"
        f"{comparison.pairs} (Bonferroni), so that in each scope all hold together 95 times in 100."
    )


def _runs(runs: Runs) -> TextTable:
    rows = [
        (
            letter,
            label,
            report.respondents[0].uri,
            str(report.scores.verdict or NONE),
            report.finished[:10],
        )
        for letter, label, report in zip(runs.letters, runs.labels, runs.reports, strict=True)
    ]
    rubric = runs.reports[0].rubric
    note = f"Rubric {rubric.name} {rubric.version}, judged by {runs.reports[0].judge.kind}."
    return TextTable(
        title="Runs", note=note, heads=("", "run", "model", "verdict", "evaluated"), groups=(tuple(rows),)
    )


def _scores(
    title: str, note: str, runs: Runs, scopes: Sequence[ComparedScope], level: float, titles: dict[str, str]
) -> TextTable:
    heads = ("scope", "run", "score", "95% interval", "less A", f"{100 * level:.4g}% interval", "", "n")
    groups = (
        _named(titles.get(scope.name, scope.name), [*_base(runs, scope), *_scope(runs, scope)])
        for scope in scopes
    )
    return TextTable(title=title, note=note, heads=heads, groups=tuple(groups))


def _base(runs: Runs, scope: ComparedScope) -> Iterator[tuple[str, ...]]:
    """The base model's score, where all runs have one in common."""
    if runs.share_a_base and scope.scores[0].baseline_score is not None:
        yield "base", _number(scope.scores[0].baseline_score), NONE, NONE, NONE, "", str(scope.scores[0].n)


def _scope(runs: Runs, scope: ComparedScope) -> Iterator[tuple[str, ...]]:
    for letter, score, difference in zip(runs.letters, scope.scores, scope.differences, strict=True):
        own = letter, _number(score.score), _interval(score.low, score.high)
        if difference is None:
            yield *own, NONE, NONE, "", str(score.n)
        else:
            interval = _interval(difference.low, difference.high, "+")
            yield *own, f"{difference.value:+.3f}", interval, difference.surely, str(difference.n)


def _dimensions(runs: Runs) -> TextTable:
    def row(letter: str, score: ScopeScore) -> tuple[str, ...]:
        change = _number(score.delta, "+"), _interval(score.delta_low, score.delta_high, "+")
        return letter, _number(score.score), _interval(score.low, score.high), *change

    found = [
        (score.name, row(letter, score))
        for letter, report in zip(runs.letters, runs.reports, strict=True)
        for score in report.scores.dimensions
    ]
    return TextTable(
        title="Dimensions",
        note="Each run beside its own base model, over all of its questions.",
        heads=("dimension", "run", "score", "95% interval", "less base", "95% interval"),
        groups=_grouped(found),
    )


def _retention(runs: Runs) -> TextTable:
    found = [
        (
            str(kept.text),
            (
                letter,
                f"{kept.loss:.3f}",
                f"{kept.rise:+.3f}",
                f"{kept.rise_low:+.3f} to {kept.rise_high:+.3f}",
                str(kept.rows),
            ),
        )
        for letter, report in zip(runs.letters, runs.reports, strict=True)
        for kept in report.scores.retention
    ]
    return TextTable(
        title="Retention",
        note="Loss on general text in nats per token, less is better; the rise is from the run's own base "
        "model. A report has no losses of single rows, so runs are not paired here.",
        heads=("text", "run", "loss", "rise", "95% interval", "rows"),
        groups=_grouped(found),
    )


def _benchmarks(runs: Runs) -> TextTable:
    found = [
        (
            f"{benchmark.name} {benchmark.metric}",
            (
                letter,
                _number(benchmark.score),
                _number(benchmark.standard_error),
                _number(benchmark.delta, "+"),
                _interval(benchmark.delta_low, benchmark.delta_high, "+"),
                str(benchmark.n),
            ),
        )
        for letter, report in zip(runs.letters, runs.reports, strict=True)
        for benchmark in report.scores.benchmarks
    ]
    return TextTable(
        title="Benchmarks",
        note="Each run beside its own base model. A report has no single samples, so runs are not paired.",
        heads=("benchmark", "run", "score", "error", "less base", "95% interval", "n"),
        groups=_grouped(found),
    )


def _gates(runs: Runs) -> TextTable:
    def row(letter: str, gate: GateStatus) -> tuple[str, ...]:
        return letter, _number(gate.value), _interval(gate.low, gate.high), str(gate.result)

    found = [
        (f"{gate.subject} {gate.rule} {gate.threshold:g}", row(letter, gate))
        for letter, report in zip(runs.letters, runs.reports, strict=True)
        for gate in report.gates
    ]
    return TextTable(
        title="Gates",
        note="As each run declared them, when it was evaluated.",
        heads=("gate", "run", "value", "95% interval", "outcome"),
        groups=_grouped(found),
    )


def _blend(runs: Runs) -> TextTable:
    found = [
        (
            source.name,
            (
                letter,
                f"{source.achieved_share:.1%}",
                f"{source.target_share:.1%}",
                f"{source.tokens:,}",
                f"{source.epochs:.2f}",
            ),
        )
        for letter, report in zip(runs.letters, runs.reports, strict=True)
        for source in (report.training.sources if report.training else ())
    ]
    return TextTable(
        title="Blend",
        note="What each model was trained on.",
        heads=("source", "run", "share", "target", "tokens", "passes"),
        groups=_grouped(found),
    )


def _grouped(found: Sequence[tuple[str, tuple[str, ...]]]) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """The rows of each name together, in the order in which names first occur."""
    order = list(dict.fromkeys(name for name, _ in found))
    together = sorted(found, key=lambda each: order.index(each[0]))
    return tuple(
        _named(name, [row for _, row in rows]) for name, rows in groupby(together, lambda each: each[0])
    )


def _named(name: str, rows: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    return tuple((name, *row) for row in rows)


def _number(value: float | None, sign: str = "") -> str:
    return NONE if value is None else f"{value:{sign}.3f}"


def _interval(low: float | None, high: float | None, sign: str = "") -> str:
    return NONE if low is None or high is None else f"{low:{sign}.2f} to {high:{sign}.2f}"
