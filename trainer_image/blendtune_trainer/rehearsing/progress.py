"""How far a rehearsal has come: on the console, and on the board that the operator asks for."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil

from blendtune_runtime.progress_bar import progress_bar
from blendtune_trainer.record.progress import ProgressBoard


class RehearsalProgress:
    """Told after each batch. The remaining time is estimated from what this attempt has written itself."""

    def __init__(self, board: ProgressBoard, clock: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._clock = clock
        self._begin: tuple[float, float] | None = None  # time, and units there then

    def begin(self, units: float) -> None:
        """The model begins to write, with so many units from earlier attempts."""
        if self._begin is None:
            self._begin = (self._clock(), units)

    def report(self, units: float, wanted: float) -> None:
        """There are `units` of the `wanted` ones, both in the unit of the blend."""
        units = min(units, wanted)
        remaining = self._remaining(units, wanted)
        self._board.update(
            step=ceil(units), steps=max(1, ceil(wanted)), remaining_seconds=remaining, phase="rehearsing"
        )
        left = "" if remaining is None else f", {remaining:,.0f} s left"
        fraction = units / wanted if wanted else 1.0
        print(f"{progress_bar(fraction)}, {units:,.0f} of {wanted:,.0f} rehearsed{left}", flush=True)

    def _remaining(self, units: float, wanted: float) -> float | None:
        """Seconds; None before anything was kept."""
        if self._begin is None:
            return None
        time_then, units_then = self._begin
        gained = units - units_then
        return (self._clock() - time_then) / gained * (wanted - units) if gained > 0 else None
