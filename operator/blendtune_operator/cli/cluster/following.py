"""Follows one run, evaluation or study by watches until it has ended, and shows how it ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from rich.console import Console

from blendtune_api.blend_study import BlendStudy, StudyState
from blendtune_api.codec import Resource
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    ConditionStatus,
    ConditionType,
    Reason,
    RubricEval,
    State,
)
from blendtune_operator.cli.exit_status import ExitStatus, exit_status
from blendtune_operator.cli.study_view import print_study, study_exit_status
from blendtune_operator.cli.view import View, print_result
from blendtune_operator.client.access import Access
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.objects import decoded
from blendtune_operator.client.watching import Watched, snapshots
from blendtune_operator.conditions import find, is_finished, is_refused
from blendtune_operator.names import Kind, Object

_HOLDING = (Reason.QUEUED, Reason.UNSCHEDULABLE, Reason.IMAGE_PULL_FAILED)
WAITING = (State.PENDING, State.QUEUED, State.SUSPENDED)


async def versions(
    access: Access, obj: Object
) -> AsyncGenerator[tuple[Resource, RubricEval | None, str], None]:
    """The object as it changes, its RubricEval if it is a run, and why either may be out of date.

    Raises ClientError when the object is deleted.
    """
    kind, name, uid = Kind(obj["kind"]), obj["metadata"]["name"], obj["metadata"]["uid"]
    kinds = (kind, Kind.RUBRIC_EVAL) if kind is Kind.BLENDED_FINE_TUNE else (kind,)
    async with aclosing(snapshots(access, [Watched(kind=each, name=name) for each in kinds])) as found:
        async for snapshot in found:
            current = next((each for each in snapshot.of(kind) if each["metadata"]["uid"] == uid), None)
            if current is None:
                raise ClientError(f"{kind} {name} has been deleted")
            evaluations = [
                decoded(each) for each in snapshot.of(Kind.RUBRIC_EVAL) if kind is not each["kind"]
            ]
            evaluation = next((each for each in evaluations if isinstance(each, RubricEval)), None)
            yield decoded(current), evaluation, snapshot.broken


def has_ended(object: Resource) -> bool:
    """Whether nothing happens any more unless somebody edits the object."""
    conditions = object.status.conditions
    if isinstance(object, BlendStudy):
        ended = object.status.state in (StudyState.SUCCEEDED, StudyState.FAILED)
        return is_finished(conditions) or (ended and is_refused(conditions))
    return is_finished(conditions) or (object.status.state is State.FAILED and is_refused(conditions))


async def follow_until(
    access: Access, obj: Object, console: Console, holds: Callable[[Resource], bool]
) -> tuple[Resource, RubricEval | None]:
    """Shows the object while it changes, and returns it once the condition holds or it has ended."""
    with View(console) as view:
        async with aclosing(versions(access, obj)) as found:
            async for object, evaluation, broken in found:
                if holds(object) or has_ended(object):
                    return object, evaluation
                _show(view, object, broken)
    raise AssertionError("unreachable: what is watched never ends by itself")


def _show(view: View, object: Resource, broken: str) -> None:
    if isinstance(object, BlendStudy):
        counts = object.status.counts
        place = f"{counts.succeeded + counts.failed} of {counts.total} runs have ended" if counts else ""
        words = (object.metadata.name, str(object.status.state or StudyState.PENDING), place, broken)
        view.tell(object.metadata.name, "  ".join(filter(None, words)))
    else:
        view.show([(object, broken or why_waiting(object))])


def why_waiting(object: BlendedFineTune | RubricEval) -> str:
    """The message of what holds a run up; empty while it goes on."""
    if (object.status.state or State.PENDING) not in WAITING:
        return ""
    held = (each.message for each in object.status.conditions if each.reason in _HOLDING)
    return _not_accepted(object) or next(held, "")


def _not_accepted(object: BlendedFineTune | RubricEval) -> str:
    """Why the operator does not take the run; empty while it does."""
    accepted = find(object.status.conditions, ConditionType.ACCEPTED)
    if accepted is None or accepted.status is not ConditionStatus.FALSE:
        return ""
    return f"{accepted.reason}: {accepted.message}"


def print_end(console: Console, object: Resource, evaluation: RubricEval | None) -> ExitStatus:
    """How it ended, and where to look next. The exit status is that of a local run."""
    if isinstance(object, BlendStudy):
        print_study(object, console)
        return study_exit_status(object)
    print_result(console, object, evaluation, ())
    if refused := _not_accepted(object):
        console.print(refused, style="red", markup=False, soft_wrap=True)
    if object.status.state is State.SUCCEEDED:
        console.print(f"report     blendtune report {object.metadata.name}", highlight=False)
    return exit_status([object])
