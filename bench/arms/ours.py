"""Our arm: the `train` command as it is, one step after the other when it is its turn."""

from __future__ import annotations

import sys
from typing import Any

from turns import Turns

from blendtune_trainer import train
from blendtune_trainer.training.batches import bins_of_step
from blendtune_trainer.training.loop import TrainingLoop


def main() -> None:
    turns = Turns()
    take_step = TrainingLoop._take_step

    def take_step_in_turn(loop: Any, step: int) -> tuple[bool, bool]:
        turns.between_steps()
        bins = bins_of_step(step, loop._plan.bins_per_step, loop._blend.num_bins)
        tokens = sum(loop._blend.tokens(index) for index in bins)
        turns.count(tokens, tokens)
        return take_step(loop, step)

    TrainingLoop._take_step = take_step_in_turn  # type: ignore[method-assign]
    sys.exit(train.main())


if __name__ == "__main__":
    main()
