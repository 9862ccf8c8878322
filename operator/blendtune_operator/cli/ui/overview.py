"""What the page shows of each run and study: texts and charts, made from the objects alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blendtune_api import codec
from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.v1alpha1 import BlendedFineTune, ConditionType, GateStatus, RubricEval, ScopeScore, State
from blendtune_documents.charts import Chart, GatePlot, Points, gate_plot, line_chart
from blendtune_documents.plane import Plane
from blendtune_operator.cli.cluster.following import WAITING, why_waiting
from blendtune_operator.cli.cluster.listing import gates, roots, scores, training_progress
from blendtune_operator.cli.cluster.report import has_report
from blendtune_operator.cli.study_plots import plane
from blendtune_operator.cli.view import progress_words
from blendtune_operator.conditions import find
from blendtune_operator.names import Object
from blendtune_operator.plan.study.observation import summarise
from blendtune_operator.plan.study.runs import observations

Histories = Mapping[str, Points]
"""(step, loss) pairs of each run's training, by its UID."""

_OPEN = frozenset({State.REHEARSING, State.BLENDING, State.TRAINING, State.EVALUATING})
_SURE = {"Succeeded": "good", "Failed": "bad"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    name: str
    value: str
    interval: str
    change: str
    change_interval: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    told: str
    result: str  # Passed, Failed, Inconclusive
    plot: GatePlot | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    name: str
    achieved: float  # percent, as the target
    target: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One run, evaluation or study. Texts are empty where there is nothing to say yet."""

    id: str
    name: str
    kind: str
    state: str
    tone: str  # good, bad, wait or flat
    open: bool
    progress: str
    loss: str
    gates: str
    words: str
    chart: Chart | None = None
    shares: tuple[Share, ...] = ()
    scores: tuple[Score, ...] = ()
    judged: tuple[Gate, ...] = ()
    plane: Plane | None = None
    report: str = ""  # its address on this server


def overview(objects: Iterable[Object], histories: Histories) -> list[Entry]:
    """An entry for each root object, those under way first, then the newest."""
    newest = sorted(
        roots(objects), key=lambda obj: str(obj["metadata"].get("creationTimestamp")), reverse=True
    )
    entries = [entry for obj in newest if (entry := _entry(obj, histories)) is not None]
    return sorted(entries, key=lambda entry: not entry.open)


def counts(entries: Sequence[Entry]) -> str:
    """How many there are in each state, in words."""
    found: dict[str, int] = {}
    for entry in entries:
        found[entry.state] = found.get(entry.state, 0) + 1
    return ", ".join(f"{count} {state.lower()}" for state, count in found.items()) or "no runs yet"


def _entry(obj: Object, histories: Histories) -> Entry | None:
    try:
        object = codec.decode_object(obj)
    except codec.InvalidObject:
        return None
    if isinstance(object, BlendStudy):
        return _of_study(object)
    return _of_run(object, histories.get(object.metadata.uid, ()))


def _of_study(study: BlendStudy) -> Entry:
    counted, found = study.status.counts, study.status.recommendation
    observed = tuple(observations(study.status.runs, study.spec.objective))
    drawn = study.spec.objective.subject_to.is_score and bool(observed)
    done = f"{counted.succeeded + counted.failed} of {counted.total} runs" if counted else ""
    return Entry(
        **_common(study),
        open=str(study.status.state) == "Running",
        progress=done,
        loss="",
        gates=str(found.verdict) if found else "",
        words=found.message if found else "",
        plane=plane(study, observed, summarise(observed)) if drawn else None,
        report=_address(study),
    )


def _of_run(run: BlendedFineTune | RubricEval, history: Points) -> Entry:
    progress = loss = ""
    shares: tuple[Share, ...] = ()
    if isinstance(run, BlendedFineTune):
        progress, loss = training_progress(run)
        blended = run.status.blend.sources if run.status.blend else ()
        shares = tuple(
            Share(name=each.name, achieved=100 * each.achieved_share, target=100 * each.target_share)
            for each in blended
        )
    scored = scores(run)
    scopes = (
        [scope for scope in (scored.overall, scored.in_domain, scored.general) if scope] if scored else []
    )
    return Entry(
        **_common(run),
        open=run.status.state in _OPEN,
        progress=progress,
        loss=loss,
        gates=gates(run),
        words=_words(run),
        chart=line_chart({"training loss": history}),
        shares=shares,
        scores=tuple(map(_score, scopes)),
        judged=tuple(map(_gate, scored.gates)) if scored else (),
        report=_address(run) if has_report(run) else "",
    )


def _common(object: Resource) -> dict[str, Any]:
    kind, state = type(object).__name__, str(object.status.state or "Pending")
    return {
        "id": f"{kind.lower()}-{object.metadata.name}",
        "name": object.metadata.name,
        "kind": kind,
        "state": state,
        "tone": _SURE.get(state, "wait" if state in WAITING else "flat"),
    }


def _address(object: Resource) -> str:
    return f"/report/{type(object).__name__.lower()}/{object.metadata.name}"


def _words(run: BlendedFineTune | RubricEval) -> str:
    """What to know of it in a sentence: its diagnosis, why it failed or waits, or how far it is."""
    if isinstance(run, BlendedFineTune) and run.status.diagnosis:
        return f"{run.status.diagnosis.verdict}: {run.status.diagnosis.message}"
    failed = find(run.status.conditions, ConditionType.FAILED)
    if run.status.state is State.FAILED and failed is not None:
        return f"{failed.reason}: {failed.message}"
    told = run.status.trainer_status if isinstance(run, BlendedFineTune) else None
    if told is not None and run.status.state is State.TRAINING:
        return ", ".join(progress_words(told))
    return why_waiting(run)


def _score(scope: ScopeScore) -> Score:
    return Score(
        name=scope.name,
        value="–" if scope.score is None else f"{scope.score:.3f}",
        interval=_interval(scope.low, scope.high, ""),
        change="" if scope.delta is None else f"{scope.delta:+.3f}",
        change_interval=_interval(scope.delta_low, scope.delta_high, "+"),
    )


def _interval(low: float | None, high: float | None, sign: str) -> str:
    return "" if low is None or high is None else f"{low:{sign}.2f} to {high:{sign}.2f}"


def _gate(gate: GateStatus) -> Gate:
    value = "no value" if gate.value is None else f"{gate.value:+.3f}"
    return Gate(
        told=f"{gate.subject} {gate.rule} {gate.threshold:g}: {value}",
        result=str(gate.result),
        plot=gate_plot({**codec.encode(gate)}),
    )


def as_values(entries: Sequence[Entry], place: str, note: str) -> dict[str, Any]:
    """What the templates are given."""
    return {"entries": entries, "counts": counts(entries), "place": place, "note": note}
