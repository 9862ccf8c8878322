"""Which shares a study that bisects tries next, once all its runs have ended."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from blendtune_api.blend_study import MAX_RUNS, BlendStudySpec, SearchKind, StudyRun, StudyRunState
from blendtune_api.v1alpha1 import Method
from blendtune_operator.plan.study.observation import Summary, summarise
from blendtune_operator.plan.study.points import Point, points
from blendtune_operator.plan.study.runs import observations

FINEST_GAP = 0.05  # a rubric of the usual size cannot distinguish shares that are closer
_SHARE_DIGITS = 4


def refine(spec: BlendStudySpec, runs: Sequence[StudyRun]) -> tuple[Point, ...]:
    """The points to add: for each setting of the other axes the share in the middle of the gap to refine.

    Nothing is added while a run is pending or running, nor beyond spec.search.maxRuns. With weights between
    base and tuned model each of them has a gap of its own.
    """
    unfinished = (StudyRunState.PENDING, StudyRunState.RUNNING)
    if spec.search.kind is SearchKind.GRID or any(run.state in unfinished for run in runs):
        return ()
    found: list[Point] = []
    most = min(spec.search.max_runs, MAX_RUNS // (len(spec.axes.interpolation) + 1))
    summaries = sorted(summarise(observations(runs, spec.objective)), key=_but_share)
    for (without_share, _), group in groupby(summaries, key=_but_share):
        share = _next_share(tuple(group), spec.objective.subject_to.most)
        if share is None:
            continue
        wanted = [
            point
            for point in points(spec, [share])
            if point.without_share == without_share and point not in found
        ]
        if len(runs) + len(found) + len(wanted) <= most:
            found += wanted
    return tuple(found)


def _next_share(group: Sequence[Summary], max_drop: float) -> float | None:
    """The middle between the best allowed share and the neighbour beyond which the bound breaks.

    Where no neighbour breaks it, the wider of the two gaps beside the best; where none is allowed, the gap
    beside the share that drops least.
    """
    ordered = sorted(group, key=lambda one: one.setting.share)
    allowed = [one for one in ordered if one.change.value >= -max_drop]
    if allowed:
        best = max(allowed, key=lambda one: one.objective.value)
    else:
        best = max(ordered, key=lambda one: one.change.value)
    at = ordered.index(best)
    neighbours = ordered[max(0, at - 1) : at] + ordered[at + 1 : at + 2]
    breaking = [one for one in ordered[at + 1 : at + 2] if one not in allowed]
    gaps = [(best.setting.share, one.setting.share) for one in (breaking or neighbours)]
    low, high = max(map(sorted, gaps), key=lambda gap: gap[1] - gap[0], default=(0.0, 0.0))
    if high - low < 2 * FINEST_GAP:
        return None
    return round((low + high) / 2, _SHARE_DIGITS)


def _but_share(summary: Summary) -> tuple[tuple[str, float, Method, float], float]:
    return summary.setting.without_share, summary.setting.weight
