"""The report of a study: one self-contained page with the plane of both metrics, the front and the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from blendtune_api.blend_study import BlendStudy, StudyRunState
from blendtune_operator.plan.study.observation import Observation, Summary, summarise
from blendtune_operator.plan.study.recommendation import pareto_front
from blendtune_operator.plan.study.runs import observations
from blendtune_operator.plan.study.words import describe, high, low, setting_status

_WIDTH, _HEIGHT, _MARGIN = 680, 520, 56
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd; }
svg { max-width: 100%; height: auto; }
.answer { border-left: 4px solid #0a7d4f; padding-left: 1rem; }
.axis { stroke: #999; } .grid { stroke: #eee; } .front { stroke: #0a7d4f; fill: none; stroke-dasharray: 5 4; }
.run { fill: #8aa; } .base { fill: #c60; } .mean { fill: #246; } .best { fill: #0a7d4f; }
.interval { stroke: #246; stroke-opacity: .45; } .bound { stroke: #b22; stroke-dasharray: 2 3; }
text { font-size: 13px; fill: #333; }
"""


def study_page(study: BlendStudy) -> str:
    """The whole page. It loads nothing from elsewhere."""
    observed = tuple(observations(study.status.runs, study.spec.objective))
    summaries = summarise(observed)
    parts = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><title>{escape(study.metadata.name)}</title>',
        f"<style>{_STYLE}</style>",
        f"<h1>Study {escape(study.metadata.name)}</h1>",
        *_answer(study),
        "<h2>The plane</h2>",
        *_plane(study, observed, summaries),
        "<h2>The settings</h2>",
        *_settings(study, summaries),
        "<h2>The runs</h2>",
        *_runs(study),
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _answer(study: BlendStudy) -> Iterator[str]:
    found = study.status.recommendation
    message = "The study has not ended." if found is None else found.message
    yield f'<p class="answer">{escape(message)}</p>'


def _plane(study: BlendStudy, observed: Sequence[Observation], summaries: Sequence[Summary]) -> Iterator[str]:
    """Across: the metric that may not drop. Upwards: the metric to maximize. Both from 0 to 1."""
    objective, settings = study.spec.objective, [summary.setting for summary in summaries]
    across, upwards = objective.subject_to.metric, objective.maximize
    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{upwards} over {across}">'
    for tick in range(0, 11, 2):
        at = tick / 10
        yield _line("grid", at, 0, at, 1)
        yield _line("grid", 0, at, 1, at)
        yield _text(at, -0.05, f"{at:g}", "middle")
        yield _text(-0.02, at - 0.01, f"{at:g}", "end")
    yield _line("axis", 0, 0, 1, 0)
    yield _line("axis", 0, 0, 0, 1)
    yield _text(0.5, -0.11, str(across), "middle")
    yield _text(0, 1.03, str(upwards), "start")
    for base in _bases(observed):
        bound = base[0] - objective.subject_to.max_drop
        if bound > 0:
            yield _line("bound", bound, 0, bound, 1)
        yield _dot("base", *base, 5, "base model")
    front = pareto_front(summaries)
    points = " ".join("{:.1f},{:.1f}".format(*_place(*_means(summary))) for summary in front)
    yield f'<polyline class="front" points="{points}"/>'
    for one in observed:
        label = f"{describe(one.setting, settings)}, seed {one.seed}"
        yield _dot("run", one.constrained.value, one.objective.value, 3, label)
    best = study.status.recommendation.setting if study.status.recommendation else None
    for summary in summaries:
        x, y = _means(summary)
        yield _line("interval", _inside(low(summary.constrained)), y, _inside(high(summary.constrained)), y)
        yield _line("interval", x, _inside(low(summary.objective)), x, _inside(high(summary.objective)))
        is_best = best is not None and best == setting_status(summary)
        label = describe(summary.setting, settings)
        yield _dot("best" if is_best else "mean", x, y, 6, label)
        yield _text(x + 0.015, y + 0.015, label, "start")
    yield "</svg>"
    yield (
        "<p>Large dots: means over seeds, with 95% intervals over questions and seeds. Small dots: runs. "
        "Orange: the base model, less the bound (red). Dashed: the front. Green: the answer, or the best "
        "guess.</p>"
    )


def _settings(study: BlendStudy, summaries: Sequence[Summary]) -> Iterator[str]:
    objective, front = study.spec.objective, pareto_front(summaries)
    heads = ("setting", "runs", objective.maximize, "95%", objective.subject_to.metric, "change", "95%",
             "GPU hours", "gain per GPU hour", "front")  # fmt: skip
    rows = (
        (
            describe(summary.setting, [other.setting for other in summaries]),
            str(summary.runs),
            f"{summary.objective.value:.3f}",
            f"{low(summary.objective):.3f} to {high(summary.objective):.3f}",
            f"{summary.constrained.value:.3f}",
            f"{summary.change.value:+.3f}",
            f"{low(summary.change):+.3f} to {high(summary.change):+.3f}",
            _number(summary.gpu_hours),
            _number(summary.gain_per_gpu_hour),
            "yes" if summary in front else "",
        )
        for summary in summaries
    )
    yield from _table(heads, rows)


def _runs(study: BlendStudy) -> Iterator[str]:
    rows = (
        (
            run.name,
            f"{run.in_domain_share:g}",
            run.model,
            f"{run.epochs:g}",
            run.method,
            str(run.seed),
            run.state,
            "; ".join(f"{score.name} {score.score:.3f}" for score in run.scores),
            _number(run.gpu_hours) if run.state is not StudyRunState.PENDING else "",
            run.message,
        )
        for run in study.status.runs
    )
    heads = ("run", "share", "model", "epochs", "method", "seed", "state", "scores", "GPU hours", "")
    yield from _table(heads, rows)


def _table(heads: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield "<table>"
    yield "<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</table>"


def _bases(observed: Sequence[Observation]) -> list[tuple[float, float]]:
    """Where the base models lie: the same for all runs of one, but for rounding."""
    return sorted(
        {
            (round(one.constrained.value - one.change.value, 4), round(one.objective.value - one.gain, 4))
            for one in observed
            if one.gain is not None
        }
    )


def _means(summary: Summary) -> tuple[float, float]:
    return summary.constrained.value, summary.objective.value


def _inside(value: float) -> float:
    return min(1.0, max(0.0, value))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _place(x: float, y: float) -> tuple[float, float]:
    return (
        _MARGIN + x * (_WIDTH - 2 * _MARGIN),
        _HEIGHT - _MARGIN - y * (_HEIGHT - 2 * _MARGIN),
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    (left, bottom), (right, top) = _place(x1, y1), _place(x2, y2)
    return f'<line class="{kind}" x1="{left:.1f}" y1="{bottom:.1f}" x2="{right:.1f}" y2="{top:.1f}"/>'


def _dot(kind: str, x: float, y: float, radius: float, label: str) -> str:
    across, up = _place(x, y)
    title = f"<title>{escape(label)}: {x:.3f}, {y:.3f}</title>"
    return f'<circle class="{kind}" cx="{across:.1f}" cy="{up:.1f}" r="{radius:g}">{title}</circle>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    across, up = _place(x, y)
    return f'<text x="{across:.1f}" y="{up:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
