"""report.html: what a run gained and forgot, on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blendtune_api import codec
from blendtune_api.contract import EvalResult
from blendtune_api.v1alpha1 import EpochScope, GateStatus, RoleDivergence, ScopeScore, SourceLoss, Verdict
from blendtune_core.verdict import COVERAGE_FLOOR, Direction, direction, shown_losses
from blendtune_documents.charts import Points, gate_plot, line_chart
from blendtune_documents.pages import Filters, render
from blendtune_documents.plane import Dot, Plane, Segment
from blendtune_eval.report.asked import asked_in_words
from blendtune_eval.report.between import between
from blendtune_eval.report.grades import JudgeAgreement
from blendtune_eval.report.measures import groups, measures
from blendtune_eval.report.model import Report
from blendtune_eval.report.resolution import sights
from blendtune_eval.report.shown import shown_questions
from blendtune_eval.report.unread import unread
from blendtune_eval.report.words import score, short, signed, threshold, title

_MOVED = {Direction.UP: "rose", Direction.DOWN: "fell", Direction.UNSURE: "did not surely change"}


def render_page(report: Report, agreement: JudgeAgreement | None = None) -> str:
    """The page as HTML. Its templates read the report as report.json holds it."""
    scores, training, document = report.scores, report.training, codec.encode(report)
    model, *baseline = report.respondents
    values = {
        "report": document,
        "scores": document["scores"],
        "category_titles": {category.name: category.title for category in report.rubric.categories},
        "respondents": document["respondents"],
        "tuned": model.label,
        "base": baseline[0].label if baseline else None,
        "reason": verdict_reason(scores, report.gates),
        "agreement": _agreement(agreement),
        "unread": unread(report),
        "asked": asked_in_words(report),
        "gates": [(gate, gate_plot(gate)) for gate in document["gates"]],
        "between": between(report),
        "measures": list(groups(measures(report))),
        "sights": sights(report),
        "questions": shown_questions(report),
        "gained_and_forgotten": _gained_and_forgotten(report),
        "training_loss": line_chart({"training": training.loss if training else ()}),
        "epoch_loss": line_chart(_by_epoch(training.validation_loss if training else ())),
        "epoch_divergence": line_chart(_moved_by_epoch(training.divergence if training else ())),
        "epoch_scores": line_chart(_scores_by_epoch(scores), top=1.0),
    }
    filters: Filters = {
        "score": score,
        "signed": signed,
        "title": title,
        "short": short,
        "threshold": threshold,
    }
    return render("report", values, package=__package__, filters=filters)


def verdict_reason(scores: EvalResult, gates: Sequence[GateStatus] = ()) -> str:
    """Where the verdict comes from, in a sentence or two; empty where there is no verdict."""
    if scores.verdict is None:
        return ""
    if scores.coverage < COVERAGE_FLOOR:
        return f"Only {scores.coverage:.0%} of the questions could be judged."
    moves = {scope.name: direction(scope) for scope in _domains(scores)}
    unshown = _not_shown(scores, moves)
    if lost := shown_losses(gates):
        unshown += f" Lost more than a gate allows: {', '.join(gate.subject for gate in lost)}."
    if len(set(moves.values())) == 1:
        return f"In-domain and general {_MOVED[moves[scores.general.name]]}.{unshown}"
    changes = (f"{title(name).lower()} {_MOVED[move]}" for name, move in moves.items())
    return f"{', '.join(changes).capitalize()}.{unshown}"


def _not_shown(scores: EvalResult, moves: Mapping[str, Direction]) -> str:
    """Why a gain is no improvement: the drop of the general score that may hide."""
    if scores.verdict is not Verdict.INCONCLUSIVE or Direction.UP not in moves.values():
        return ""
    general = scores.general
    if general.delta_low is None:
        return " What was forgotten was not measured."
    hidden = -min(
        general.delta_low, general.delta_low if general.delta_worst is None else general.delta_worst
    )
    return f" A general drop of up to {hidden:.2f} is not excluded."


def _agreement(found: JudgeAgreement | None) -> dict[str, Any] | None:
    if found is None:
        return None
    rows = (("correct", found.correct), ("not correct", found.not_correct), ("either", found.overall))
    return {"rows": [(name, each) for name, each in rows if each is not None], "kappa": found.overall.kappa}


def _domains(scores: EvalResult) -> tuple[ScopeScore, ScopeScore]:
    return scores.in_domain, scores.general


def _gained_and_forgotten(report: Report) -> Plane | None:
    """From the base model to the tuned one; None where a domain or a model has no score."""
    across, up = _domains(report.scores)
    x, y, base_x, base_y = across.score, up.score, across.baseline_score, up.baseline_score
    if x is None or y is None or base_x is None or base_y is None:
        return None
    tuned, base = (respondent.label for respondent in report.respondents)
    names = title(across.name), title(up.name)
    return Plane(
        label=f"{tuned}: {names[0]} {score(x)}, {names[1]} {score(y)}; "
        f"{base}: {score(base_x)}, {score(base_y)}",
        across=names[0],
        up=names[1],
        segments=(
            Segment("way", base_x, base_y, x, y),
            *(Segment("interval", low, y, high, y) for low, high in _interval(across)),
            *(Segment("interval", x, low, x, high) for low, high in _interval(up)),
        ),
        dots=(Dot("base", base_x, base_y, 6), Dot("tuned", x, y, 7)),
    )


def _interval(scope: ScopeScore) -> Iterator[tuple[float, float]]:
    """The 95% interval, where there is one."""
    if scope.low is not None and scope.high is not None:
        yield scope.low, scope.high


def _by_epoch(validation_loss: Sequence[SourceLoss]) -> dict[str, Points]:
    return {source.name: [(point.epoch, point.loss) for point in source.epochs] for source in validation_loss}


def _moved_by_epoch(divergence: Sequence[RoleDivergence]) -> dict[str, Points]:
    """With the base model itself, which does not diverge, as epoch 0 of a curve that begins at epoch 1."""
    curves = {title(each.role): [(point.epoch, point.value) for point in each.epochs] for each in divergence}
    start = (0, 0.0)
    return {
        name: [start, *points] if points and points[0][0] == 1 else points for name, points in curves.items()
    }


def _scores_by_epoch(scores: EvalResult) -> dict[str, Points]:
    """The scores after earlier epochs and, as the epoch after them, those of the model itself."""
    in_domain = [(epoch.epoch, epoch.in_domain) for epoch in scores.epochs]
    general = [(epoch.epoch, epoch.general) for epoch in scores.epochs]
    return {
        title(scores.in_domain.name): list(_curve(in_domain, scores.in_domain.score)),
        title(scores.general.name): list(_curve(general, scores.general.score)),
    }


def _curve(
    earlier: Sequence[tuple[int, EpochScope | None]], now: float | None
) -> Iterator[tuple[float, float]]:
    points = [(epoch, scope.score) for epoch, scope in earlier if scope is not None]
    if points and now is not None:
        yield from points
        yield points[-1][0] + 1, now
