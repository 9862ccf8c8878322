"""The report of a study: one self-contained page with the curves, the plane, the front and the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from blendtune_api.blend_study import BlendStudy, StudyRunState
from blendtune_operator.cli.study_plots import curves, plane
from blendtune_operator.plan.study.observation import Summary, summarise
from blendtune_operator.plan.study.presentation import describe, high, low, score_range
from blendtune_operator.plan.study.recommendation import pareto_front
from blendtune_operator.plan.study.runs import observations

_STYLE = """
:root {
  --paper: #fbfbf9; --ink: #1b1f24; --soft: #5b6470; --line: #d9dcd6; --grid: #eceeea;
  --pursued: #2457c5; --kept: #b06000; --best: #11703f; --bound: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e7eaee; --soft: #9aa5b2; --line: #3a424c; --grid: #262b32;
    --pursued: #7aa2f7; --kept: #f2b266; --best: #6fd39b; --bound: #ff9a90;
  }
}
body {
  font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--paper); color: var(--ink);
}
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 15px; }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; }
td { white-space: nowrap; } td:last-child { white-space: normal; }
figure { margin: 0 0 1rem; } figcaption { color: var(--soft); }
svg { max-width: 100%; height: auto; }
.answer { border-left: 4px solid var(--best); padding-left: 1rem; }
.axis { stroke: var(--soft); } .grid { stroke: var(--grid); }
polyline { fill: none; stroke-width: 2; } .front { stroke: var(--best); stroke-dasharray: 5 4; }
.pursued { stroke: var(--pursued); } .kept { stroke: var(--kept); }
.bound { stroke: var(--bound); stroke-dasharray: 2 3; }
circle { stroke: none; fill: var(--pursued); } circle.kept { fill: var(--kept); }
circle.run { fill-opacity: .45; } circle.base { fill: var(--bound); }
circle.best { stroke: var(--best); stroke-width: 3; }
.interval { stroke-opacity: .5; stroke: var(--pursued); stroke-width: 1.5; }
.interval.kept { stroke: var(--kept); }
svg text { font-size: 13px; fill: var(--soft); }
b.pursued { color: var(--pursued); } b.kept { color: var(--kept); }
"""


def study_page(study: BlendStudy) -> str:
    """The whole page. It loads nothing from elsewhere."""
    observed = tuple(observations(study.status.runs, study.spec.objective))
    summaries = summarise(observed)
    parts = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><title>{escape(study.metadata.name)}</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{_STYLE}</style>",
        f"<h1>Study {escape(study.metadata.name)}</h1>",
        *_answer(study),
        "<h2>By share</h2>",
        _key(study),
        *curves(study, observed, summaries),
        "<h2>One over the other</h2>",
        *plane(study, observed, summaries),
        "<p>Dashed green: settings that no other beats. Red: the base model, and how far it may drop.</p>",
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


def _key(study: BlendStudy) -> str:
    objective = study.spec.objective
    pursued, kept = escape(objective.maximize), escape(objective.subject_to.metric)
    return (
        f'<p><b class="pursued">{pursued}</b> is to rise; <b class="kept">{kept}</b> may drop by '
        f"{objective.subject_to.max_drop:g}, to the dotted line. Large dots: means over seeds, with 95% "
        "intervals over questions and seeds. Small dots: runs. Ringed "
        "green: the answer, or the best guess.</p>"
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
            "{:.3f} to {:.3f}".format(*score_range(summary.objective)),
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
    yield '<div class="table"><table>'
    yield "<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</table></div>"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
