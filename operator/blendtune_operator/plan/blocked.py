"""The plan of a run that can't be planned: its spec is unreadable, or a child of it can't be created."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from blendtune_api.v1alpha1 import BlendedFineTuneStatus, ConditionStatus, ConditionType, Reason
from blendtune_operator.conditions import (
    FINE_TUNE_CONDITIONS,
    RUBRIC_EVAL_CONDITIONS,
    Finding,
    first_visit,
    set_condition,
    state_of,
)
from blendtune_operator.plan import Plan, StatusT
from blendtune_operator.plan.events import tidings


def blocked_plan(
    status: StatusT,
    reason: Reason,
    message: str,
    generation: int,
    now: datetime,
    requeue_after: timedelta | None,
) -> Plan[StatusT]:
    """A plan that says Accepted=False and leaves all else as it was."""
    types = FINE_TUNE_CONDITIONS if isinstance(status, BlendedFineTuneStatus) else RUBRIC_EVAL_CONDITIONS
    finding = Finding(ConditionType.ACCEPTED, ConditionStatus.FALSE, reason, message)
    conditions = first_visit(status.conditions, types, generation, now)
    conditions = set_condition(conditions, finding, generation, now)
    return Plan(
        status=replace(
            status, observed_generation=generation, conditions=conditions, state=state_of(conditions)
        ),
        requeue_after=requeue_after,
        events=tidings(status.conditions, conditions),
    )
