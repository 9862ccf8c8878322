"""The phases of a plan: each writes into the draft, then lets the next one run or stops the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

DraftT = TypeVar("DraftT")


@dataclass(frozen=True, slots=True)
class Continue:
    """The next phase runs."""


@dataclass(frozen=True, slots=True)
class Stop:
    """No later phase runs in this plan; `reason` and `message` say why, as those of a condition do."""

    reason: str
    message: str


PhaseResult = Continue | Stop
Phase = Callable[[DraftT], PhaseResult]


def run_phases(draft: DraftT, phases: Sequence[Phase[DraftT]]) -> PhaseResult:
    """Runs the phases in order until one stops the plan, and returns how the last one that ran ended."""
    for phase in phases:
        result = phase(draft)
        if isinstance(result, Stop):
            return result
    return Continue()
