"""The time by the API server's clock, which stamps the objects from which deadlines are reckoned."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_RESOLUTION = timedelta(seconds=2)  # a Date header has whole seconds, and was written before it was read


def utc_now() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


class ServerClock:
    """This machine's clock, put right by the Date header of the API server's last answer."""

    def __init__(self, machine: Callable[[], datetime] | None = None) -> None:
        self._machine = machine or utc_now
        self.ahead = timedelta()  # how far this machine's clock is before the API server's

    def now(self) -> datetime:
        """Aware, in UTC."""
        return self._machine() - self.ahead

    def heard(self, date: str | None) -> None:
        """Takes the Date header of an answer that has just come. One that cannot be read tells nothing."""
        try:
            server = parsedate_to_datetime(date or "")
        except ValueError:
            return
        if server.tzinfo is None:
            return
        ahead = self._machine() - server
        if abs(ahead - self.ahead) > _RESOLUTION:
            self.ahead = ahead if abs(ahead) > _RESOLUTION else timedelta()
