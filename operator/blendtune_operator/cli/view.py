"""What a person sees of a local run: the live view, and the scores at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from blendtune_api.v1alpha1 import (
    BenchmarkScore,
    BlendedFineTune,
    Candidate,
    ConditionStatus,
    ConditionType,
    EvaluationSummary,
    GateResult,
    GateStatus,
    RehearsalStatus,
    RetentionScore,
    Role,
    RubricEval,
    RubricEvalStatus,
    ScopeScore,
    State,
    TrainerStatus,
    TrainingStatus,
)
from blendtune_core.asked import told_asked
from blendtune_core.interpolation import told_choice
from blendtune_core.unfinished import told_unfinished
from blendtune_operator.plan.progress import DIVERGENCE
from blendtune_operator.plan.rehearsal import describe_rehearsal

LocalObject = BlendedFineTune | RubricEval

_GATE_STYLE = {GateResult.PASSED: "green", GateResult.FAILED: "red", GateResult.INCONCLUSIVE: "yellow"}
_STAGES = (
    ("rehearse", State.REHEARSING, ConditionType.DATA_REHEARSED),
    ("blend", State.BLENDING, ConditionType.DATA_BLENDED),
    ("train", State.TRAINING, ConditionType.TRAINING_SUCCEEDED),
    ("evaluate", State.EVALUATING, ConditionType.EVALUATION_SUCCEEDED),
)


class View:
    """Follows objects on the console: live on a terminal, a line for each change elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = (
            Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        )
        self._last_lines: dict[str, str] = {}

    def __enter__(self) -> View:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, objects: Sequence[tuple[LocalObject, str]]) -> None:
        """Shows each object with a note of its own, which may be empty."""
        if self._live:
            self._live.update(Group(*(live_view(object, note) for object, note in objects)))
            return
        for object, note in objects:
            self.tell(object.metadata.name, one_line(object, note))

    def tell(self, name: str, line: str) -> None:
        """One line on what has this name, where it differs from the last."""
        if self._live:
            self._live.update(Text(line))
        elif self._last_lines.get(name) != line:
            self._last_lines[name] = line
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def live_view(object: LocalObject, note: str) -> RenderableType:
    """The stages of a run, the one under way with its progress."""
    table = Table.grid(padding=(0, 1))
    status = object.status
    for name, state, condition_type in _STAGES:
        condition = next((item for item in status.conditions if item.type == condition_type), None)
        if condition is None:
            continue
        done, under_way = condition.status is ConditionStatus.TRUE, status.state is state
        style = "green" if done else "cyan" if under_way else "dim"
        detail: RenderableType = Text(condition.message if done else "", "dim")
        if under_way:
            progress = _told_progress(object)
            detail = _progress(progress) if progress else Text(note or condition.message)
        table.add_row(Text("done" if done else "", style), Text(name, style), detail)
    title = Text.assemble(
        (object.metadata.name, "bold"), f"  {status.state or State.PENDING}  ", (note, "yellow")
    )
    return Group(title, table)


def _told_progress(object: LocalObject) -> TrainerStatus | RehearsalStatus | None:
    """What the pods of the stage under way have told of their progress."""
    if not isinstance(object, BlendedFineTune):
        return None
    match object.status.state:
        case State.REHEARSING:
            return object.status.rehearsal
        case State.TRAINING:
            return object.status.trainer_status
        case _:
            return None


def _progress(told: TrainerStatus | RehearsalStatus) -> RenderableType:
    bar = ProgressBar(total=100, completed=told.progress_percentage or 0, width=24)
    row = Table.grid(padding=(0, 1))
    row.add_row(bar, Text("  ".join(progress_words(told))))
    return row


def progress_words(told: TrainerStatus | RehearsalStatus) -> Iterator[str]:
    """Progress in words: of a training step, loss and throughput; the expected time."""
    if isinstance(told, TrainerStatus):
        yield from _training_words(told)
    elif told.progress_percentage is not None:
        yield f"{told.progress_percentage}%"
    if told.estimated_remaining_seconds is not None:
        yield f"ETA {timedelta(seconds=told.estimated_remaining_seconds)}"


def _training_words(trainer: TrainerStatus) -> Iterator[str]:
    metrics = {metric.name: metric.value for metric in trainer.metrics}
    if "step" in metrics and "steps" in metrics:
        yield f"step {metrics['step']}/{metrics['steps']}"
    if "loss" in metrics:
        yield f"loss {float(metrics['loss']):.4f}"
    if DIVERGENCE[Role.GENERAL] in metrics:
        yield f"KL {float(metrics[DIVERGENCE[Role.GENERAL]]):.3g}"
    if "tokensPerSecond" in metrics:
        yield f"{float(metrics['tokensPerSecond']):,.0f} tokens/s"


def one_line(object: LocalObject, note: str = "") -> str:
    """State and progress in one line."""
    words = [object.metadata.name, str(object.status.state or State.PENDING)]
    progress = _told_progress(object)
    if progress is not None:
        words += progress_words(progress)
    return "  ".join([*words, note] if note else words)


def print_result(
    console: Console, object: LocalObject, evaluation: RubricEval | None, paths: Sequence[tuple[str, Path]]
) -> None:
    """Prints why a run ended, its scores beside the base model's, its gates, and the paths of its results."""
    status = object.status
    style = "green" if status.state is State.SUCCEEDED else "red"
    console.print(Text.assemble(object.metadata.name, "  ", (str(status.state), f"bold {style}")))
    if isinstance(object, BlendedFineTune) and status.state is State.SUCCEEDED:
        for rehearsed in object.status.rehearsal.sources if object.status.rehearsal else ():
            console.print(f"rehearsed  {describe_rehearsal(rehearsed)}", soft_wrap=True)
        console.print(_blend_table(object))
        for bad in object.status.blend.bad_rows if object.status.blend else ():
            console.print(f"bad rows   {bad.rows:,} {bad.reason}, first {bad.first}", soft_wrap=True)
        if object.status.training is not None:
            for line in _training_lines(object.status.training):
                console.print(line, soft_wrap=True)
    scored = _scored(object, evaluation)
    if scored is not None and scored.overall is not None:
        console.print(_score_table(scored))
        if scored.not_compared:
            console.print(f"not compared with the base: {scored.not_compared}", soft_wrap=True)
        if scored.asked is not None:
            console.print(f"asked      {told_asked(scored.asked)}", soft_wrap=True)
        for unsure in scored.unsure:
            console.print(f"undecided  {unsure.answers} answers: {unsure.reason}", soft_wrap=True)
        if scored.unfinished is not None:
            console.print(f"unfinished  {told_unfinished(scored.unfinished)}", soft_wrap=True)
        for benchmark in scored.benchmarks:
            console.print(_benchmark_line(benchmark))
        for kept in scored.retention:
            console.print(_retention_line(kept))
        for gate in scored.gates:
            console.print(_gate_line(gate))
        if scored.interpolation is not None:
            for candidate in scored.interpolation.candidates:
                console.print(_candidate_line(candidate, taken=scored.interpolation.weight))
            if not isinstance(object, BlendedFineTune):  # whose diagnosis tells it
                console.print(told_choice(scored.interpolation), soft_wrap=True)
    if isinstance(object, BlendedFineTune) and object.status.diagnosis:
        console.print(
            f"diagnosis  {object.status.diagnosis.verdict}: {object.status.diagnosis.message}", soft_wrap=True
        )
    for condition in status.conditions:
        if condition.type == ConditionType.FAILED and condition.status is ConditionStatus.TRUE:
            console.print(Text(f"{condition.reason}: {condition.message}", "red"), soft_wrap=True)
    for name, path in paths:
        console.print(f"{name:<9}  {path}", highlight=False, soft_wrap=True)


def _training_lines(training: TrainingStatus) -> Iterator[str]:
    moved = [f"{each.role} {each.value:.3g}" for each in training.divergence if each.value is not None]
    if moved:
        yield f"divergence  KL(base, tuned) on held-out rows: {', '.join(moved)} nats per token"
    if training.stopped_early:
        yield f"stopped    {training.stopped_early}"


def _scored(
    object: LocalObject, evaluation: RubricEval | None
) -> RubricEvalStatus | EvaluationSummary | None:
    if evaluation is not None:
        return evaluation.status
    if isinstance(object, BlendedFineTune):
        return object.status.evaluation
    return object.status


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, show_edge=False)


def _blend_table(object: BlendedFineTune) -> Table:
    table = _table("Blend")
    for name in ("source", "share", "target", "tokens", "passes", "too long", "bad"):
        table.add_column(name)
    for source in object.status.blend.sources if object.status.blend else ():
        table.add_row(
            source.name,
            f"{source.achieved_share:.2%}",
            f"{source.target_share:.2%}",
            f"{source.tokens:,}",
            f"{source.epochs:.2f}",
            f"{source.dropped:,}",
            f"{source.bad_rows or 0:,}",
        )
    return table


def _score_table(status: RubricEvalStatus | EvaluationSummary) -> Table:
    """Fits into 80 columns: long names are broken, numbers never.

    Questions that could not be scored have a column only where there are any.
    """
    headline = [scope for scope in (status.overall, status.general, status.in_domain) if scope is not None]
    categories = status.categories if isinstance(status, RubricEvalStatus) else ()
    groups = (headline, status.dimensions, categories)
    rows = [[_score_row(scope) for scope in group] for group in groups]
    table = _table("Scores")
    table.add_column("scope", overflow="fold")
    names = ["base", "tuned", "95% interval", "change", "95% interval", "n"]
    if any(scope.unscored for group in groups for scope in group):
        names.append("unscored")
    for column, name in enumerate(names, start=1):
        widest = max(len(row[column]) for group in rows for row in group)
        table.add_column(name, no_wrap=True, min_width=max(widest, len(name)))
    for group in rows:
        for row in group:
            table.add_row(*row[: 1 + len(names)])
        table.add_section()
    return table


def _score_row(scope: ScopeScore) -> list[str]:
    def number(value: float | None, sign: str = "") -> str:
        return "-" if value is None else f"{value:{sign}.3f}"

    def interval(low: float | None, high: float | None, sign: str = "") -> str:
        return "-" if low is None or high is None else f"{low:{sign}.2f} to {high:{sign}.2f}"

    return [
        scope.name,
        number(scope.baseline_score),
        number(scope.score),
        interval(scope.low, scope.high),
        number(scope.delta, "+"),
        interval(scope.delta_low, scope.delta_high, "+"),
        str(scope.n),
        str(scope.unscored),
    ]


def _benchmark_line(benchmark: BenchmarkScore) -> str:
    line = f"benchmark  {benchmark.name}: {benchmark.metric} {benchmark.score:.3f}"
    if benchmark.baseline_score is not None:
        line += f", base {benchmark.baseline_score:.3f}"
    if benchmark.delta is not None:
        line += f", change {benchmark.delta:+.3f}"
    if benchmark.delta_low is not None and benchmark.delta_high is not None:
        line += f" ({benchmark.delta_low:+.3f} to {benchmark.delta_high:+.3f})"
    if benchmark.also:
        line += f"; also {benchmark.also}"
    return line


def _retention_line(kept: RetentionScore) -> str:
    return (
        f"retention  {kept.text}: loss {kept.loss:.3f}, base {kept.baseline:.3f}, rise {kept.rise:+.3f} "
        f"({kept.rise_low:+.3f} to {kept.rise_high:+.3f}) nats per token"
    )


def _candidate_line(candidate: Candidate, *, taken: float) -> Text:
    domains = (("in-domain", candidate.in_domain), ("general", candidate.general))
    scores = ", ".join(f"{name} {scope.score:.3f}" for name, scope in domains if scope is not None)
    return Text.assemble(
        f"weight {candidate.weight:g}: {scores} ",
        (str(candidate.gates), _GATE_STYLE[candidate.gates]),
        " (taken)" if candidate.weight == taken else "",
    )


def _gate_line(gate: GateStatus) -> Text:
    value = "no value" if gate.value is None else f"{gate.value:+.3f}"
    interval = "" if gate.low is None or gate.high is None else f" ({gate.low:+.3f} to {gate.high:+.3f})"
    return Text.assemble(
        f"gate {gate.subject} {gate.rule} {gate.threshold:g}: {value}{interval} ",
        (str(gate.result), _GATE_STYLE[gate.result]),
    )
