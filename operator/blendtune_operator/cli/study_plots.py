"""The plots of a study as SVG: both metrics by share, and one over the other. All scores are from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from blendtune_api.blend_study import BlendStudy
from blendtune_api.v1alpha1 import Method
from blendtune_operator.plan.study.observation import Mean, Observation, Summary
from blendtune_operator.plan.study.presentation import describe, score_range, setting_status
from blendtune_operator.plan.study.recommendation import pareto_front

_WIDTH, _HEIGHT, _MARGIN = 680, 460, 52
_Curve = tuple[str, Callable[[Summary], Mean], Callable[[Observation], float]]


def curves(study: BlendStudy, observed: Sequence[Observation], summaries: Sequence[Summary]) -> Iterator[str]:
    """A plot for each model, length and method: both metrics over the share of in-domain data."""
    objective, best = study.spec.objective, _best(study)
    metrics: tuple[_Curve, _Curve] = (
        ("pursued", lambda summary: summary.objective, lambda run: run.objective.value),
        ("kept", lambda summary: summary.constrained, lambda run: run.constrained.value),
    )
    for alike, found in groupby(sorted(summaries, key=_without_share), _without_share):
        group = sorted(found, key=lambda one: one.setting.share)
        runs = [run for run in observed if run.setting.without_share == alike]
        title = describe(group[0].setting, [one.setting for one in summaries]).partition(", ")[2]
        yield f"<figure><figcaption>{escape(title)}</figcaption>" if title else "<figure>"
        yield from _frame(f"{objective.maximize} and {objective.subject_to.metric} by share")
        yield _text(0.5, -0.11, "share of in-domain data", "middle")
        for _, general in _bases(runs):
            yield _line(
                "bound",
                0,
                general - objective.subject_to.max_drop,
                1,
                general - objective.subject_to.max_drop,
            )
        for kind, mean, value in metrics:
            yield _polyline(kind, ((one.setting.share, mean(one).value) for one in group))
            for one in group:
                share, score = one.setting.share, mean(one)
                lowest, highest = score_range(score)
                yield _line(f"interval {kind}", share, lowest, share, highest)
                mark = " best" if best == setting_status(one) else ""
                yield _dot(f"mean {kind}{mark}", share, score.value, 5, f"share {share:g}: {score.value:.3f}")
            for run in runs:
                yield _dot(
                    f"run {kind}", run.setting.share, value(run), 2.5, f"seed {run.seed}: {value(run):.3f}"
                )
        yield "</svg></figure>"


def plane(study: BlendStudy, observed: Sequence[Observation], summaries: Sequence[Summary]) -> Iterator[str]:
    """Across: the metric that may not drop. Upwards: the metric to maximize."""
    objective, best = study.spec.objective, _best(study)
    settings = [summary.setting for summary in summaries]
    across, upwards = objective.subject_to.metric, objective.maximize
    yield "<figure>"
    yield from _frame(f"{upwards} over {across}")
    yield _text(0.5, -0.11, str(across), "middle")
    yield _text(0, 1.03, str(upwards), "start")
    for base in _bases(observed):
        bound = base[1] - objective.subject_to.max_drop
        if bound > 0:
            yield _line("bound", bound, 0, bound, 1)
        yield _dot("base", base[1], base[0], 5, f"base model: {base[1]:.3f}, {base[0]:.3f}")
    yield _polyline("front", (_means(summary) for summary in pareto_front(summaries)))
    for run in observed:
        label = f"{describe(run.setting, settings)}, seed {run.seed}"
        yield _dot("run", run.constrained.value, run.objective.value, 2.5, label)
    for summary in summaries:
        x, y = _means(summary)
        left, right = score_range(summary.constrained)
        yield _line("interval", left, y, right, y)
        bottom, top = score_range(summary.objective)
        yield _line("interval", x, bottom, x, top)
        label = describe(summary.setting, settings)
        mark = " best" if best == setting_status(summary) else ""
        yield _dot(f"mean{mark}", x, y, 5, f"{label}: {x:.3f}, {y:.3f}")
        yield _text(x + 0.015, y + 0.015, label, "start")
    yield "</svg></figure>"


def _best(study: BlendStudy) -> object:
    return study.status.recommendation.setting if study.status.recommendation else None


def _without_share(summary: Summary) -> tuple[str, float, Method]:
    return summary.setting.without_share


def _bases(observed: Iterable[Observation]) -> list[tuple[float, float]]:
    """What the base models score in both metrics: the same for all runs of one, but for rounding."""
    return sorted(
        {
            (round(run.objective.value - run.gain, 4), round(run.constrained.value - run.change.value, 4))
            for run in observed
            if run.gain is not None
        }
    )


def _means(summary: Summary) -> tuple[float, float]:
    return summary.constrained.value, summary.objective.value


def _frame(label: str) -> Iterator[str]:
    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
    for tick in range(0, 11, 2):
        at = tick / 10
        yield _line("grid", at, 0, at, 1)
        yield _line("grid", 0, at, 1, at)
        yield _text(at, -0.05, f"{at:g}", "middle")
        yield _text(-0.02, at - 0.01, f"{at:g}", "end")
    yield _line("axis", 0, 0, 1, 0)
    yield _line("axis", 0, 0, 0, 1)


def _place(x: float, y: float) -> tuple[float, float]:
    return (
        _MARGIN + x * (_WIDTH - 2 * _MARGIN),
        _HEIGHT - _MARGIN - y * (_HEIGHT - 2 * _MARGIN),
    )


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    (left, bottom), (right, top) = _place(x1, y1), _place(x2, y2)
    return f'<line class="{kind}" x1="{left:.1f}" y1="{bottom:.1f}" x2="{right:.1f}" y2="{top:.1f}"/>'


def _polyline(kind: str, points: Iterable[tuple[float, float]]) -> str:
    places = " ".join("{:.1f},{:.1f}".format(*_place(*point)) for point in points)
    return f'<polyline class="{kind}" points="{places}"/>'


def _dot(kind: str, x: float, y: float, radius: float, label: str) -> str:
    across, up = _place(x, y)
    title = f"<title>{escape(label)}</title>"
    return f'<circle class="{kind}" cx="{across:.1f}" cy="{up:.1f}" r="{radius:g}">{title}</circle>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    across, up = _place(x, y)
    return f'<text x="{across:.1f}" y="{up:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
