"""The plan while it is being made: the phases write into it, one after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic

from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    BlendedFineTuneStatus,
    Condition,
    ConditionStatus,
    ConditionType,
    RubricEval,
    RubricEvalStatus,
)
from blendtune_operator import conditions
from blendtune_operator.conditions import FINE_TUNE_CONDITIONS, RUBRIC_EVAL_CONDITIONS, Finding
from blendtune_operator.names import Object, Run
from blendtune_operator.plan import Plan, StatusT
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.events import transition_events
from blendtune_operator.settings import Settings


class Draft(Generic[StatusT]):
    """Collects what a plan writes.

    `before` is the status that the plan started from, `status` the one it will write. `obstacle`, once set,
    keeps new attempts from starting; a running attempt goes on.
    """

    condition_types: ClassVar[tuple[ConditionType, ...]]  # all conditions of the kind
    stage_conditions: ClassVar[tuple[ConditionType, ...]]  # those that a retry resets when they are False

    def __init__(
        self, run: Run, status: StatusT, children: Children, now: datetime, settings: Settings
    ) -> None:
        self.run = run
        self.before: StatusT = status
        self.status: StatusT = status
        self.children = children
        self.now = now
        self.settings = settings
        self.obstacle: Finding | None = None
        self._creates: list[Object] = []
        self._deletes: list[Object] = []
        self._requeue_after: timedelta | None = None

    def initialise_conditions(self) -> None:
        """Adds the conditions that are missing, and sets observedGeneration."""
        generation = self.run.metadata.generation
        initialised = conditions.initialise_conditions(
            self.status.conditions, self.condition_types, generation, self.now
        )
        self.update(observed_generation=generation, conditions=initialised)

    def set(self, type: ConditionType, status: ConditionStatus, reason: str, message: str) -> None:
        finding = Finding(type, status, reason, message)
        generation = self.run.metadata.generation
        self.update(
            conditions=conditions.set_condition(self.status.conditions, finding, generation, self.now)
        )

    def condition(self, type: ConditionType) -> Condition | None:
        return conditions.find(self.status.conditions, type)

    def is_true(self, type: ConditionType) -> bool:
        return conditions.is_true(self.status.conditions, type)

    def reason_before(self, type: ConditionType) -> str | None:
        """The condition's reason in `before`."""
        condition = conditions.find(self.before.conditions, type)
        return None if condition is None else condition.reason

    def update(self, **changes: Any) -> None:
        """Replaces fields of the status."""
        self.status = replace(self.status, **changes)

    def create(self, obj: Object) -> None:
        self._creates.append(obj)

    def delete(self, obj: Object) -> None:
        """Deletes a child, unless it is being deleted already."""
        if not obj["metadata"].get("deletionTimestamp") and obj not in self._deletes:
            self._deletes.append(obj)

    def requeue_after(self, delay: timedelta) -> None:
        """Asks for another plan within `delay`, even if nothing changes until then."""
        self._requeue_after = delay if self._requeue_after is None else min(self._requeue_after, delay)

    def plan(self) -> Plan[StatusT]:
        found = conditions.as_of_generation(self.status.conditions, self.run.metadata.generation)
        self.update(conditions=found, state=conditions.state_of(found))
        return Plan(
            status=self.status,
            create=tuple(self._creates),
            delete=tuple(self._deletes),
            requeue_after=self._requeue_after,
            events=transition_events(self.before.conditions, self.status.conditions),
        )


class FineTuneDraft(Draft[BlendedFineTuneStatus]):
    run: BlendedFineTune
    condition_types = FINE_TUNE_CONDITIONS
    stage_conditions = (
        ConditionType.DATA_REHEARSED,
        ConditionType.DATA_BLENDED,
        ConditionType.SIZED,
        ConditionType.TRAINING_SUCCEEDED,
        ConditionType.EVALUATION_SUCCEEDED,
    )


class EvalDraft(Draft[RubricEvalStatus]):
    run: RubricEval
    condition_types = RUBRIC_EVAL_CONDITIONS
    stage_conditions = (ConditionType.EVALUATION_SUCCEEDED,)
