"""The status of an earlier version, which recorded no child: what stands is taken over, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from blendtune_api.blend_study import BlendStudy, StudyRun, StudyRunState
from blendtune_api.v1alpha1 import Attempt, ChildStatus, PinnedStatus, RubricEval
from blendtune_operator import names
from blendtune_operator.conditions import is_finished
from blendtune_operator.names import Kind, Object, Parent, Run
from blendtune_operator.plan.recorded import child_of
from blendtune_operator.render.config import digest_in, revision_of

_ByName = Mapping[tuple[str, str], Object]


def with_children_recorded(parent: Parent, claimed: Iterable[Object]) -> Parent:
    """The parent with `claimed`, the objects that say that they are its children, recorded in its status.

    It is returned as it is unless an earlier version has started it: this one records the pinned
    configuration, and the UID of a study's run, with the start.
    """
    found = {(child["kind"], child["metadata"]["name"]): child for child in claimed}
    if isinstance(parent, BlendStudy):
        runs = tuple(_run_with_uid(run, found) for run in parent.status.runs)
        return replace(parent, status=replace(parent.status, runs=runs))
    status = parent.status
    if status.start_time is None or status.pinned is not None or is_finished(status.conditions):
        return parent
    config_maps = [child for (kind, _), child in found.items() if kind == Kind.CONFIG_MAP]
    return _with_recorded(parent, max(config_maps, key=revision_of), found) if config_maps else parent


def _with_recorded(run: Run, config_map: Object, found: _ByName) -> Run:
    attempts = tuple(_attempt_with_uid(run, attempt, found) for attempt in run.status.attempts)
    pinned = PinnedStatus(revision=revision_of(config_map), digest=digest_in(config_map))
    if isinstance(run, RubricEval):
        return replace(run, status=replace(run.status, attempts=attempts, pinned=pinned))
    evaluation = found.get((Kind.RUBRIC_EVAL, names.rubric_eval(run.metadata.name)))
    child = None if evaluation is None else ChildStatus(**_identity(evaluation))
    return replace(run, status=replace(run.status, attempts=attempts, pinned=pinned, rubric_eval=child))


def _run_with_uid(run: StudyRun, found: _ByName) -> StudyRun:
    child = found.get((Kind.BLENDED_FINE_TUNE, run.name))
    if child is None or run.uid or run.state is StudyRunState.PENDING:
        return run
    return replace(run, uid=_identity(child)["uid"])


def _attempt_with_uid(run: Run, attempt: Attempt, found: _ByName) -> Attempt:
    child = found.get(child_of(run, run.status, attempt))
    return attempt if child is None else replace(attempt, uid=_identity(child)["uid"])


def _identity(child: Object) -> dict[str, str]:
    return {"name": child["metadata"]["name"], "uid": child["metadata"]["uid"]}
