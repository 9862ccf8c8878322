"""The plan while it is being made: the phases write into it, one after the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Generic

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
from blendtune_operator.conditions import Finding
from blendtune_operator.names import Object, Run
from blendtune_operator.plan import Plan, StatusT
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.events import tidings
from blendtune_operator.settings import Settings


class Draft(Generic[StatusT]):
    """Collects what a plan writes. `obstacle` keeps new attempts from starting; what runs already runs on."""

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
        self._wake_up: timedelta | None = None

    def first_visit(self, types: tuple[ConditionType, ...]) -> None:
        """Sees to it that every condition is there, and that the status speaks of this generation."""
        generation = self.run.metadata.generation
        self.update(
            observed_generation=generation,
            conditions=conditions.first_visit(self.status.conditions, types, generation, self.now),
        )

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
        """The reason that the condition had when this plan began."""
        condition = conditions.find(self.before.conditions, type)
        return None if condition is None else condition.reason

    def update(self, **changes: Any) -> None:
        self.status = replace(self.status, **changes)

    def create(self, obj: Object) -> None:
        self._creates.append(obj)

    def delete(self, obj: Object) -> None:
        """Deletes a child, unless it is on its way out already."""
        if not obj["metadata"].get("deletionTimestamp") and obj not in self._deletes:
            self._deletes.append(obj)

    def look_again(self, delay: timedelta) -> None:
        """Asks for another plan within `delay`, though nothing happens until then."""
        self._wake_up = delay if self._wake_up is None else min(self._wake_up, delay)

    def plan(self) -> Plan[StatusT]:
        self.update(state=conditions.state_of(self.status.conditions))
        return Plan(
            status=self.status,
            create=tuple(self._creates),
            delete=tuple(self._deletes),
            requeue_after=self._wake_up,
            events=tidings(self.before.conditions, self.status.conditions),
        )


class FineTuneDraft(Draft[BlendedFineTuneStatus]):
    run: BlendedFineTune


class EvalDraft(Draft[RubricEvalStatus]):
    run: RubricEval
