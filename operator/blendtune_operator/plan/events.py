"""The Kubernetes Events that transitions of conditions call for."""

from __future__ import annotations

from collections.abc import Iterator

from blendtune_api.v1alpha1 import Condition, ConditionStatus, ConditionType, Reason
from blendtune_operator.conditions import Conditions, find
from blendtune_operator.plan import Event

_REASONS_WITHOUT_EVENT = (Reason.PENDING, Reason.NOT_SUSPENDED)
_WARNING_REASONS = frozenset(
    {
        Reason.INVALID_SPEC,
        Reason.NOT_SUPPORTED,
        Reason.UNKNOWN_GPU_TYPE,
        Reason.SERVICE_ACCOUNT_NOT_ALLOWED,
        Reason.GANG_NOT_SERVED,
        Reason.NAME_CONFLICT,
        Reason.CHILD_REFUSED,
        Reason.CHILD_IGNORED,
        Reason.BACKING_OFF,
        Reason.IMAGE_PULL_FAILED,
        Reason.UNSCHEDULABLE,
        Reason.GATES_FAILED,
        Reason.GATES_INCONCLUSIVE,
        Reason.MARGIN_TOO_FINE,
        Reason.CANNOT_TELL,
        Reason.NONE_ALLOWED,
        Reason.GPU_HOURS_SPENT,
    }
)


def transition_events(before: Conditions, after: Conditions) -> tuple[Event, ...]:
    """One event for each condition whose status or reason has changed."""
    return tuple(_event(condition) for condition in _transitions(before, after))


def _transitions(before: Conditions, after: Conditions) -> Iterator[Condition]:
    for condition in after:
        last = find(before, ConditionType(condition.type))
        same = last is not None and (last.status, last.reason) == (condition.status, condition.reason)
        if not same and condition.reason not in _REASONS_WITHOUT_EVENT:
            yield condition


def _event(condition: Condition) -> Event:
    failed = condition.type == ConditionType.FAILED and condition.status is ConditionStatus.TRUE
    return Event(
        type="Warning" if failed or condition.reason in _WARNING_REASONS else "Normal",
        reason=condition.reason,
        message=f"{condition.type}: {condition.message}",
    )
