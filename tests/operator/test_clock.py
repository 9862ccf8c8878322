"""The API server's clock, as its answers tell it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from blendtune_operator.clock import ServerClock

SERVER = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "ahead", [timedelta(minutes=30), timedelta(minutes=-30), timedelta(days=400)], ids=str
)
def test_the_time_is_the_servers(ahead: timedelta) -> None:
    clock = ServerClock(lambda: SERVER + ahead)
    assert clock.now() == SERVER + ahead
    clock.heard(format_datetime(SERVER, usegmt=True))
    assert clock.now() == SERVER


def test_a_clock_that_is_right_is_left_alone() -> None:
    clock = ServerClock(lambda: SERVER + timedelta(seconds=0.9))
    clock.heard(format_datetime(SERVER, usegmt=True))
    assert clock.now() == SERVER + timedelta(seconds=0.9)


def test_a_clock_that_was_put_right_counts_again_by_itself() -> None:
    ahead = [timedelta(minutes=30)]
    clock = ServerClock(lambda: SERVER + ahead[0])
    clock.heard(format_datetime(SERVER, usegmt=True))
    ahead[0] = timedelta()
    clock.heard(format_datetime(SERVER, usegmt=True))
    assert clock.now() == SERVER


@pytest.mark.parametrize("date", [None, "", "yesterday", "Thu, 01 Jan 2026 12:00:00 -0000"])
def test_a_date_that_tells_no_time_changes_nothing(date: str | None) -> None:
    clock = ServerClock(lambda: SERVER)
    clock.heard(date)
    assert clock.now() == SERVER
