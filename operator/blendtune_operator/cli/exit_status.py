"""The exit statuses of `blendtune`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Reason, State
from blendtune_operator.conditions import find
from blendtune_operator.names import Run


class ExitStatus(IntEnum):
    """0 means that all succeeded and no gate failed; 3 that a gate is inconclusive: a person must decide."""

    SUCCESS = 0
    FAILED = 1
    BAD_INPUT = 2
    INCONCLUSIVE = 3
    INTERRUPTED = 130


_BAD_INPUT = {
    Reason.INVALID_SPEC,
    Reason.NOT_SUPPORTED,
    Reason.UNKNOWN_GPU_TYPE,
    Reason.WORKSPACE_IN_USE,
    Reason.BAD_CONFIGURATION,
    Reason.BAD_DATA,
    Reason.BAD_RUBRIC,
    Reason.DOES_NOT_FIT,
}


def exit_status(runs: Iterable[Run]) -> ExitStatus:
    """The worst status among the runs: bad input, failed, inconclusive, success."""
    statuses = {_of(run) for run in runs}
    worst_first = (ExitStatus.BAD_INPUT, ExitStatus.FAILED, ExitStatus.INCONCLUSIVE)
    return next((status for status in worst_first if status in statuses), ExitStatus.SUCCESS)


def _of(run: Run) -> ExitStatus:
    conditions = run.status.conditions
    if run.status.state is not State.SUCCEEDED:
        causes = (
            (find(conditions, ConditionType.FAILED), ConditionStatus.TRUE),
            (find(conditions, ConditionType.ACCEPTED), ConditionStatus.FALSE),
        )
        bad_input = any(
            cause and cause.status is status and cause.reason in _BAD_INPUT for cause, status in causes
        )
        return ExitStatus.BAD_INPUT if bad_input else ExitStatus.FAILED
    gates = find(conditions, ConditionType.GATES_PASSED)
    if gates is None or gates.status is ConditionStatus.TRUE or gates.reason == Reason.NO_GATES:
        return ExitStatus.SUCCESS
    return ExitStatus.FAILED if gates.status is ConditionStatus.FALSE else ExitStatus.INCONCLUSIVE
