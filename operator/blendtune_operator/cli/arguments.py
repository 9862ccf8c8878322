"""How a command is added to the command line, and the arguments that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from blendtune_operator.cli.choices import OutputFormat

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Commands = object


def add_command(subparsers: Commands, name: str, help: str, module: str) -> argparse.ArgumentParser:
    """A command that is carried out by the function of its name in a module of this package."""
    parser = subparsers.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
    parser.set_defaults(module=module, function=name)
    return parser


def add_output(parser: argparse.ArgumentParser, help: str) -> None:
    parser.add_argument("-o", "--output", type=OutputFormat, choices=list(OutputFormat), help=help)


def add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f",
        "--file",
        dest="files",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help="a manifest, or a folder of manifests; may stand several times",
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Which cluster and namespace, as kubectl names them."""
    parser.add_argument("-n", "--namespace", help="the namespace (default: the context's)")
    parser.add_argument("--context", help="a context of the kubeconfig (default: the current one)")


def add_reader(parser: argparse.ArgumentParser) -> None:
    """How the pod that reads a claim is started."""
    parser.add_argument("--image", help="image of the reader pod (default: that of the run's evaluation)")
    parser.add_argument(
        "--timeout",
        type=positive,
        default=180.0,
        metavar="SECONDS",
        help="how long to wait for the reader pod (default: %(default)g)",
    )


def positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return number
