"""report.html: one self-contained page; scripts, fonts and images from elsewhere are never asked for."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from blendtune_api import codec
from blendtune_api.v1alpha1 import ScopeScore
from blendtune_core.verdict import COVERAGE_FLOOR, Direction, direction
from blendtune_eval.report.charts import Points, gate_plot, line_chart

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
_DOMAINS = ("inDomain", "general")


def render_page(report: Mapping[str, Any]) -> str:
    """The page of a report as `write.build_report` made it."""
    environment = Environment(
        loader=PackageLoader("blendtune_eval.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"score": _score, "signed": _signed, "title": _title, "short": _short}
    style, script = (_source(environment, name) for name in ("report.css", "report.js"))
    scores, training = report["scores"], report["training"] or {}
    respondents = report["respondents"]
    return environment.get_template("report.html").render(
        report=report,
        scores=scores,
        category_titles={category["name"]: category["title"] for category in report["rubric"]["categories"]},
        respondents=respondents,
        tuned=respondents[0]["label"],
        base=respondents[1]["label"] if len(respondents) > 1 else None,
        reason=verdict_reason(scores),
        gates=[(gate, gate_plot(gate)) for gate in report["gates"]],
        plane=_is_plane(scores),
        training_loss=line_chart({"training": training.get("loss", [])}),
        epoch_loss=line_chart(_by_epoch(training.get("validationLoss", []))),
        epoch_scores=line_chart(_scores_by_epoch(scores), top=1.0),
        style=style,
        script=script,
        script_digest=b64encode(sha256(script.encode()).digest()).decode(),
    )


def verdict_reason(scores: Mapping[str, Any]) -> str:
    """One sentence on where the verdict comes from; empty where there is none."""
    if "verdict" not in scores:
        return ""
    if scores["coverage"] < COVERAGE_FLOOR:
        return f"Only {scores['coverage']:.0%} of the questions could be scored."
    moves = {name: direction(codec.decode(ScopeScore, scores[name], lenient=True)) for name in _DOMAINS}
    if len(set(moves.values())) == 1:
        return f"In-domain and general {_MOVED[moves['general']]}."
    changes = (f"{_title(name).lower()} {_MOVED[move]}" for name, move in moves.items())
    return f"{', '.join(changes).capitalize()}."


def _source(environment: Environment, name: str) -> Markup:
    """A style or script of ours, as it stands."""
    assert environment.loader
    return Markup(environment.loader.get_source(environment, name)[0])


def _is_plane(scores: Mapping[str, Any]) -> bool:
    return all("score" in scores[name] and "baselineScore" in scores[name] for name in _DOMAINS)


def _by_epoch(validation_loss: Sequence[Mapping[str, Any]]) -> dict[str, Points]:
    return {
        source["name"]: [(point["epoch"], point["loss"]) for point in source.get("epochs", [])]
        for source in validation_loss
    }


def _scores_by_epoch(scores: Mapping[str, Any]) -> dict[str, Points]:
    """Those of the earlier epochs, and of the model itself as the epoch after them."""
    return {_title(name): list(_curve(name, scores)) for name in _DOMAINS}


def _curve(name: str, scores: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    points = [(epoch["epoch"], epoch[name]["score"]) for epoch in scores.get("epochs", []) if epoch.get(name)]
    last = scores[name].get("score")
    if points and last is not None:
        yield from points
        yield points[-1][0] + 1, last


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
