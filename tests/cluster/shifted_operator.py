"""`python -m tests.cluster.shifted_operator MINUTES`: the operator on a machine whose clock is ahead."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from blendtune_operator import clock
from blendtune_operator.__main__ import main


def shift(minutes: float) -> None:
    clock.utc_now = lambda: datetime.now(UTC) + timedelta(minutes=minutes)


if __name__ == "__main__":
    shift(float(sys.argv[1]))
    sys.exit(main())
