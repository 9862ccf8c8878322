"""The command `blendtune`: run, check, size and render manifests without a cluster, and print the CRDs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.manifest import ManifestError
from blendtune_operator.cli.parser import build_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: see ExitStatus."""
    parsed = build_parser().parse_args(arguments)
    console = Console(stderr=True)
    try:
        return int(parsed.command(parsed, console))
    except ManifestError as error:
        for fault in error.faults:
            console.print(fault, style="red", highlight=False, soft_wrap=True, markup=False)
        return int(ExitStatus.BAD_INPUT)
