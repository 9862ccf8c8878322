"""The plan: a pure function from a run, its children and the time to what must be written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Literal, TypeVar

from blendtune_api.blend_study import BlendStudyStatus
from blendtune_api.v1alpha1 import BlendedFineTuneStatus, RubricEvalStatus
from blendtune_operator.names import Object

StatusT = TypeVar("StatusT", BlendedFineTuneStatus, RubricEvalStatus)
AnyStatusT = TypeVar("AnyStatusT", BlendedFineTuneStatus, RubricEvalStatus, BlendStudyStatus)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A Kubernetes Event to record about the run."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan(Generic[AnyStatusT]):
    """What a reconcile writes: the children of `create` in this order, then deletions, then the status.

    `suspend` and `resume` are children whose spec.suspend is set to true, or to false. `requeue_after` is the
    delay before another plan even if nothing changes; None: only a change calls for one.
    """

    status: AnyStatusT
    create: tuple[Object, ...] = ()
    delete: tuple[Object, ...] = ()
    suspend: tuple[Object, ...] = ()
    resume: tuple[Object, ...] = ()
    requeue_after: timedelta | None = None
    events: tuple[Event, ...] = ()
