"""The plots of a study: both metrics by share, and one over the other. All scores are from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from blendtune_api.blend_study import BlendStudy
from blendtune_api.v1alpha1 import Method
from blendtune_documents.plane import Dot, Note, Path, Plane, Segment
from blendtune_operator.plan.study.observation import Mean, Observation, Summary
from blendtune_operator.plan.study.presentation import describe, score_range, setting_status
from blendtune_operator.plan.study.recommendation import pareto_front

_MEAN, _RUN = 5, 2.5  # radius of a dot, pixels
_Curve = tuple[str, Callable[[Summary], Mean], Callable[[Observation], float]]
_CURVES: tuple[_Curve, _Curve] = (
    ("pursued", lambda summary: summary.objective, lambda run: run.objective.value),
    ("kept", lambda summary: summary.constrained, lambda run: run.constrained.value),
)


def curves(
    study: BlendStudy, observed: Sequence[Observation], summaries: Sequence[Summary]
) -> Iterator[tuple[str, Plane]]:
    """A name and a plot for each setting of the other axes: both metrics over the share of in-domain data."""
    for alike, found in groupby(sorted(summaries, key=_but_share), _but_share):
        group = sorted(found, key=lambda one: one.setting.share)
        runs = [run for run in observed if (run.setting.without_share, run.setting.weight) == alike]
        title = describe(group[0].setting, [one.setting for one in summaries]).partition(", ")[2]
        yield title, _by_share(study, group, runs)


def _by_share(study: BlendStudy, group: Sequence[Summary], runs: Sequence[Observation]) -> Plane:
    objective, best = study.spec.objective, _best(study)
    shown = _CURVES if objective.subject_to.is_score else _CURVES[:1]
    bounds = [kept - objective.subject_to.most for _, kept in _bases(runs)] if len(shown) > 1 else []
    segments = [Segment("bound", 0, bound, 1, bound) for bound in bounds]
    dots: list[Dot] = []
    for kind, mean, value in shown:
        for one in group:
            share, score = one.setting.share, mean(one)
            segments.append(_upright(f"interval {kind}", share, score))
            mark = " best" if best == setting_status(one) else ""
            title = f"share {share:g}: {score.value:.3f}"
            dots.append(Dot(f"mean {kind}{mark}", share, score.value, _MEAN, title))
        for run in runs:
            title = f"seed {run.seed}: {value(run):.3f}"
            dots.append(Dot(f"run {kind}", run.setting.share, value(run), _RUN, title))
    return Plane(
        label=f"{objective.maximize}{f' and {objective.subject_to.metric}' * (len(shown) > 1)} by share",
        across="share of in-domain data",
        up="score",
        segments=tuple(segments),
        paths=tuple(
            Path(kind, tuple((one.setting.share, mean(one).value) for one in group))
            for kind, mean, _ in shown
        ),
        dots=tuple(dots),
    )


def plane(study: BlendStudy, observed: Sequence[Observation], summaries: Sequence[Summary]) -> Plane:
    """Across: the metric that may not drop. Upwards: the metric to maximize."""
    objective, best = study.spec.objective, _best(study)
    settings = [summary.setting for summary in summaries]
    segments, dots, notes = [], [], []
    for pursued, kept in _bases(observed):
        bound = kept - objective.subject_to.most
        if bound > 0:
            segments.append(Segment("bound", bound, 0, bound, 1))
        dots.append(Dot("base", kept, pursued, _MEAN, f"base model: {kept:.3f}, {pursued:.3f}"))
    for run in observed:
        title = f"{describe(run.setting, settings)}, seed {run.seed}"
        dots.append(Dot("run", run.constrained.value, run.objective.value, _RUN, title))
    for summary in summaries:
        (x, y), name = _means(summary), describe(summary.setting, settings)
        left, right = score_range(summary.constrained)
        segments += [Segment("interval", left, y, right, y), _upright("interval", x, summary.objective)]
        mark = " best" if best == setting_status(summary) else ""
        dots.append(Dot(f"mean{mark}", x, y, _MEAN, f"{name}: {x:.3f}, {y:.3f}"))
        notes.append(Note(x, y, name))
    return Plane(
        label=f"{objective.maximize} over {objective.subject_to.metric}",
        across=str(objective.subject_to.metric),
        up=str(objective.maximize),
        segments=tuple(segments),
        paths=(Path("front", tuple(_means(summary) for summary in pareto_front(summaries))),),
        dots=tuple(dots),
        notes=tuple(notes),
    )


def _upright(kind: str, x: float, score: Mean) -> Segment:
    lowest, highest = score_range(score)
    return Segment(kind, x, lowest, x, highest)


def _best(study: BlendStudy) -> object:
    return study.status.recommendation.setting if study.status.recommendation else None


def _but_share(summary: Summary) -> tuple[tuple[str, float, Method, float], float]:
    return summary.setting.without_share, summary.setting.weight


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
