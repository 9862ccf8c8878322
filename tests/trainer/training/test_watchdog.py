"""A rank that hangs is ended, and one that makes progress is not."""

from __future__ import annotations

import threading
import time

import pytest

from blendtune_api.contract import ExitCode
from blendtune_trainer.ranks.watchdog import Watchdog


def test_a_hang_is_reported_with_all_stacks_and_ends_the_process(capfd: pytest.CaptureFixture[str]) -> None:
    messages: list[str] = []
    left = threading.Event()
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        left.set()

    watchdog = Watchdog(0.05, messages.append, exit_process=leave)
    with watchdog.watching():
        assert left.wait(10)
    assert codes == [ExitCode.HANG]
    assert "hangTimeoutMinutes" in messages[0]
    assert "test_a_hang_is_reported" in capfd.readouterr().err


def test_beats_keep_it_quiet() -> None:
    messages: list[str] = []
    watchdog = Watchdog(5, messages.append, exit_process=messages.append)  # type: ignore[arg-type]
    with watchdog.watching():
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            watchdog.beat()
    assert messages == []
