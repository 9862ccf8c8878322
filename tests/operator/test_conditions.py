"""Conditions: how one is set, and the state that sums them up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from blendtune_api.v1alpha1 import ConditionStatus, ConditionType, Reason, State
from blendtune_operator.conditions import (
    FINE_TUNE_CONDITIONS,
    Conditions,
    Finding,
    find,
    initialise_conditions,
    moment,
    set_condition,
    state_of,
    timestamp,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
Said = tuple[ConditionType, ConditionStatus, Reason]


def conditions(*said: Said) -> Conditions:
    result = initialise_conditions((), FINE_TUNE_CONDITIONS, 1, NOW)
    for type, status, reason in said:
        result = set_condition(result, Finding(type, status, reason, ""), 1, NOW)
    return result


def test_initial_conditions_are_all_unknown() -> None:
    found = conditions()
    assert {item.type for item in found} == set(ConditionType) - {
        ConditionType.RECOMMENDED,
        ConditionType.DATA_REHEARSED,
    }
    assert {item.status for item in found} == {UNKNOWN}


def test_the_transition_time_moves_with_the_status_only() -> None:
    before = conditions((ConditionType.SIZED, TRUE, Reason.FITS))
    finding = Finding(ConditionType.SIZED, TRUE, Reason.NOT_SIZED, "other words")
    same = find(set_condition(before, finding, 2, NOW + timedelta(hours=1)), ConditionType.SIZED)
    assert same is not None
    assert same.last_transition_time == timestamp(NOW)
    assert (same.reason, same.observed_generation) == (Reason.NOT_SIZED, 2)
    finding = Finding(ConditionType.SIZED, FALSE, Reason.DOES_NOT_FIT, "")
    changed = find(set_condition(before, finding, 2, NOW + timedelta(hours=1)), ConditionType.SIZED)
    assert changed is not None and changed.last_transition_time == "2026-01-01T01:00:00Z"


BLENDED: Said = (ConditionType.DATA_BLENDED, TRUE, Reason.COMPLETED)
TRAINED: Said = (ConditionType.TRAINING_SUCCEEDED, TRUE, Reason.COMPLETED)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param((), State.PENDING, id="nothing known"),
        pytest.param(
            ((ConditionType.ACCEPTED, FALSE, Reason.NAME_CONFLICT),), State.PENDING, id="an obstacle"
        ),
        pytest.param(((ConditionType.ACCEPTED, FALSE, Reason.NOT_SUPPORTED),), State.FAILED, id="refused"),
        pytest.param(
            (
                (ConditionType.ACCEPTED, FALSE, Reason.NOT_SUPPORTED),
                (ConditionType.DATA_BLENDED, UNKNOWN, Reason.RUNNING),
            ),
            State.BLENDING,
            id="refused while it runs",
        ),
        pytest.param(
            ((ConditionType.DATA_REHEARSED, UNKNOWN, Reason.RUNNING),), State.REHEARSING, id="rehearsing"
        ),
        pytest.param(((ConditionType.DATA_BLENDED, UNKNOWN, Reason.RUNNING),), State.BLENDING, id="blending"),
        pytest.param(
            ((ConditionType.DATA_BLENDED, UNKNOWN, Reason.BACKING_OFF),), State.BLENDING, id="backing off"
        ),
        pytest.param(
            (BLENDED, (ConditionType.TRAINING_SUCCEEDED, UNKNOWN, Reason.QUEUED)), State.QUEUED, id="queued"
        ),
        pytest.param(
            (BLENDED, (ConditionType.TRAINING_SUCCEEDED, UNKNOWN, Reason.RUNNING)),
            State.TRAINING,
            id="training",
        ),
        pytest.param(
            (BLENDED, TRAINED, (ConditionType.EVALUATION_SUCCEEDED, UNKNOWN, Reason.STARTING)),
            State.EVALUATING,
            id="evaluating",
        ),
        pytest.param(
            (BLENDED, (ConditionType.SUSPENDED, TRUE, Reason.SUSPENDED)), State.SUSPENDED, id="suspended"
        ),
        pytest.param(
            (
                (ConditionType.SUSPENDED, TRUE, Reason.SUSPENDED),
                (ConditionType.FAILED, TRUE, Reason.BAD_DATA),
            ),
            State.FAILED,
            id="failed wins over suspended",
        ),
        pytest.param(((ConditionType.SUCCEEDED, TRUE, Reason.COMPLETED),), State.SUCCEEDED, id="succeeded"),
    ],
)
def test_the_state_sums_the_conditions_up(said: tuple[Said, ...], expected: State) -> None:
    assert state_of(conditions(*said)) is expected


def test_timestamps_come_back_to_the_second() -> None:
    assert moment(timestamp(NOW + timedelta(milliseconds=700))) == NOW
