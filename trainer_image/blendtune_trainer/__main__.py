"""The commands of the trainer image: `python -m blendtune_trainer rehearse | blend | launch | train`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code. Imports only the modules of that command."""
    parser = argparse.ArgumentParser(prog="blendtune_trainer", description=__doc__)
    parser.add_argument(
        "command",
        choices=("rehearse", "blend", "launch", "train"),
        help="rehearse: let the base model write rows; blend: prepare the data; launch: start this node's "
        "ranks; train: run as one rank",
    )
    match parser.parse_args(arguments).command:
        case "rehearse":
            from blendtune_trainer.rehearsing import rehearse

            return rehearse.main()
        case "blend":
            from blendtune_trainer import prepare

            return prepare.main()
        case "launch":
            from blendtune_trainer import launch

            return launch.main()
        case _:
            from blendtune_trainer import train

            return train.main()


if __name__ == "__main__":
    sys.exit(main())
