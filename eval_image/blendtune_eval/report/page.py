"""report.html: one page that loads nothing from elsewhere, neither scripts nor fonts nor images."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from blendtune_api import codec
from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import EpochScope, ScopeScore, SourceLoss
from blendtune_core.verdict import COVERAGE_FLOOR, Direction, direction
from blendtune_eval.report.charts import Points, gate_plot, line_chart
from blendtune_eval.report.model import Report

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
    "correct": "correct",
    "wrong": "wrong",
    "notAttempted": "not attempted",
    "ImbalancedBlend": "Imbalanced blend",
}
_MOVED = {Direction.UP: "rose", Direction.DOWN: "fell", Direction.UNSURE: "did not surely change"}


def render_page(report: Report) -> str:
    """The page as HTML. Its templates read the report as report.json holds it."""
    environment = Environment(
        loader=PackageLoader("blendtune_eval.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"score": _score, "signed": _signed, "title": _title, "short": _short}
    style, script = (_source(environment, name) for name in ("report.css", "report.js"))
    scores, training, document = report.scores, report.training, codec.encode(report)
    model, *baseline = report.respondents
    return environment.get_template("report.html").render(
        report=document,
        scores=document["scores"],
        category_titles={category.name: category.title for category in report.rubric.categories},
        respondents=document["respondents"],
        tuned=model.label,
        base=baseline[0].label if baseline else None,
        reason=verdict_reason(scores),
        gates=[(gate, gate_plot(gate)) for gate in document["gates"]],
        plane=_is_plane(scores),
        training_loss=line_chart({"training": training.loss if training else ()}),
        epoch_loss=line_chart(_by_epoch(training.validation_loss if training else ())),
        epoch_scores=line_chart(_scores_by_epoch(scores), top=1.0),
        style=style,
        script=script,
        script_digest=b64encode(sha256(script.encode()).digest()).decode(),
    )


def verdict_reason(scores: EvalResult) -> str:
    """One sentence on where the verdict comes from; empty where there is no verdict."""
    if scores.verdict is None:
        return ""
    if scores.coverage < COVERAGE_FLOOR:
        return f"Only {scores.coverage:.0%} of the questions could be scored."
    moves = {scope.name: direction(scope) for scope in _domains(scores)}
    if len(set(moves.values())) == 1:
        return f"In-domain and general {_MOVED[moves[scores.general.name]]}."
    changes = (f"{_title(name).lower()} {_MOVED[move]}" for name, move in moves.items())
    return f"{', '.join(changes).capitalize()}."


def _domains(scores: EvalResult) -> tuple[ScopeScore, ScopeScore]:
    return scores.in_domain, scores.general


def _source(environment: Environment, name: str) -> Markup:
    """A style sheet or script of the page, which is no template."""
    assert environment.loader
    return Markup(environment.loader.get_source(environment, name)[0])


def _is_plane(scores: EvalResult) -> bool:
    """Whether both domains have a score of both models, so that they can be drawn as points of a plane."""
    return all(scope.score is not None and scope.baseline_score is not None for scope in _domains(scores))


def _by_epoch(validation_loss: Sequence[SourceLoss]) -> dict[str, Points]:
    return {source.name: [(point.epoch, point.loss) for point in source.epochs] for source in validation_loss}


def _scores_by_epoch(scores: EvalResult) -> dict[str, Points]:
    """The scores after earlier epochs and, as the epoch after them, those of the model itself."""
    in_domain = [(epoch.epoch, epoch.in_domain) for epoch in scores.epochs]
    general = [(epoch.epoch, epoch.general) for epoch in scores.epochs]
    return {
        _title(scores.in_domain.name): list(_curve(in_domain, scores.in_domain.score)),
        _title(scores.general.name): list(_curve(general, scores.general.score)),
    }


def _curve(
    earlier: Sequence[tuple[int, EpochScope | None]], now: float | None
) -> Iterator[tuple[float, float]]:
    points = [(epoch, scope.score) for epoch, scope in earlier if scope is not None]
    if points and now is not None:
        yield from points
        yield points[-1][0] + 1, now


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _signed(value: float | None) -> str:
    if value is None:
        return "–"
    return "0.00" if abs(value) < 0.005 else f"{value:+.2f}".replace("-", "−")


def _title(name: str) -> str:
    return _TITLES.get(name, name)


def _short(digest: str) -> str:
    return digest[:12]
