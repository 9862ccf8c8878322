"""All runs and studies of a namespace as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from blendtune_api import codec
from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    ConditionStatus,
    ConditionType,
    EvaluationSummary,
    Reason,
    RubricEval,
    RubricEvalStatus,
    ScopeScore,
)
from blendtune_operator.conditions import find, moment
from blendtune_operator.names import Kind, Object

_HEADS = ("name", "state", "progress", "loss", "in-domain", "general", "gates", "age")


def listing(objects: Sequence[Object], now: datetime | None = None) -> Table:
    """One line for each run and study, and for each evaluation that belongs to no run; the newest last."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in _HEADS:
        table.add_column(head, no_wrap=head != "name", overflow="fold")
    for obj in sorted(roots(objects), key=lambda obj: obj["metadata"]["creationTimestamp"]):
        table.add_row(*_row(obj, now or datetime.now(UTC)))
    return table


def print_listing(console: Console, objects: Sequence[Object], namespace: str) -> None:
    if objects:
        console.print(listing(objects))
    else:
        console.print(f"there are no runs in namespace {namespace}: -n names another one", highlight=False)


def roots(objects: Iterable[Object]) -> list[Object]:
    """The objects without the RubricEvals of runs, which have the names of these."""
    objects = list(objects)
    runs = {obj["metadata"]["name"] for obj in objects if obj["kind"] == Kind.BLENDED_FINE_TUNE}
    return [obj for obj in objects if obj["kind"] != Kind.RUBRIC_EVAL or obj["metadata"]["name"] not in runs]


def _row(obj: Object, now: datetime) -> tuple[str, ...]:
    name, age = obj["metadata"]["name"], _age(obj["metadata"]["creationTimestamp"], now)
    try:
        state, *cells = _cells(codec.decode_object(obj))
    except codec.InvalidObject:  # of another version
        state, cells = str((obj.get("status") or {}).get("state") or "-"), [""] * 5
    return (name, state, *cells, age)


def _cells(object: Resource) -> tuple[str, str, str, str, str, str]:
    state = str(object.status.state or "Pending")
    if isinstance(object, BlendStudy):
        counts = object.status.counts
        done = f"{counts.succeeded + counts.failed}/{counts.total} runs" if counts else ""
        found = object.status.recommendation
        return state, done, "", "", "", str(found.verdict) if found else ""
    scored = scores(object)
    progress = loss = ""
    if isinstance(object, BlendedFineTune):
        progress, loss = training_progress(object)
    return (
        state,
        progress,
        loss,
        _score(scored.in_domain if scored else None),
        _score(scored.general if scored else None),
        gates(object),
    )


def scores(object: BlendedFineTune | RubricEval) -> EvaluationSummary | RubricEvalStatus | None:
    """Where the scores of a run or an evaluation stand; None for a run that has none."""
    return object.status.evaluation if isinstance(object, BlendedFineTune) else object.status


def training_progress(run: BlendedFineTune) -> tuple[str, str]:
    """Progress in percent and the latest loss, of a training that is under way or has ended."""
    status = run.status
    if status.training is not None:
        loss = status.training.final_loss
        return "100%", "" if loss is None else f"{loss:.4f}"
    if status.trainer_status is None:
        return "", ""
    told = status.trainer_status
    losses = [metric.value for metric in told.metrics if metric.name == "loss"]
    percentage = "" if told.progress_percentage is None else f"{told.progress_percentage}%"
    return percentage, f"{float(losses[0]):.4f}" if losses else ""


def gates(object: BlendedFineTune | RubricEval) -> str:
    """passed, failed, inconclusive, none; empty while they have not been judged."""
    condition = find(object.status.conditions, ConditionType.GATES_PASSED)
    if condition is None:
        return ""
    if condition.status is not ConditionStatus.UNKNOWN:
        none = condition.reason == Reason.NO_GATES
        return "none" if none else "passed" if condition.status is ConditionStatus.TRUE else "failed"
    return "inconclusive" if condition.reason == Reason.GATES_INCONCLUSIVE else ""


def _score(scope: ScopeScore | None) -> str:
    if scope is None or scope.score is None:
        return ""
    change = "" if scope.delta is None else f" ({scope.delta:+.2f})"
    return f"{scope.score:.2f}{change}"


def _age(created: str, now: datetime) -> str:
    seconds = max(0, int((now - moment(created)).total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
