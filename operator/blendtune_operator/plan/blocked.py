"""The plan of a run that can't be planned: its spec is unreadable, or a child of it can't be created."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from blendtune_api.v1alpha1 import BlendedFineTuneStatus, ConditionStatus, ConditionType, Reason
from blendtune_operator.conditions import (
    FINE_TUNE_CONDITIONS,
    RUBRIC_EVAL_CONDITIONS,
    Conditions,
    Finding,
    as_of_generation,
    initialise_conditions,
    set_condition,
    state_of,
)
from blendtune_operator.plan import Plan, StatusT
from blendtune_operator.plan.events import transition_events


def blocked_plan(
    status: StatusT,
    reason: Reason,
    message: str,
    generation: int,
    now: datetime,
    requeue_after: timedelta | None,
) -> Plan[StatusT]:
    """A plan that sets Accepted to False and changes nothing else."""
    types = FINE_TUNE_CONDITIONS if isinstance(status, BlendedFineTuneStatus) else RUBRIC_EVAL_CONDITIONS
    conditions = not_accepted(status.conditions, types, reason, message, generation, now)
    return Plan(
        status=replace(
            status, observed_generation=generation, conditions=conditions, state=state_of(conditions)
        ),
        requeue_after=requeue_after,
        events=transition_events(status.conditions, conditions),
    )


def not_accepted(
    conditions: Conditions,
    types: Iterable[ConditionType],
    reason: Reason,
    message: str,
    generation: int,
    now: datetime,
) -> Conditions:
    """The conditions with Accepted set to False; those of `types` that are missing are added as Unknown."""
    finding = Finding(ConditionType.ACCEPTED, ConditionStatus.FALSE, reason, message)
    conditions = initialise_conditions(conditions, types, generation, now)
    return as_of_generation(set_condition(conditions, finding, generation, now), generation)
