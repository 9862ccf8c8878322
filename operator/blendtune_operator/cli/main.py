"""The command `blendtune`: checks, sizes and runs manifests, here and at a cluster.

Only the modules of the command that is asked for are imported: `--help` and shell completion are quick.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from blendtune_operator.cli.parser import build_parser
from blendtune_operator.client.faults import ClientError

_BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status: see ExitStatus."""
    parser = build_parser(_called_as())
    parsed = parser.parse_args(arguments)
    try:
        from rich.console import Console

        from blendtune_operator.cli.manifest import ManifestError

        command = getattr(import_module(f"blendtune_operator.cli.{parsed.module}"), parsed.function)
    except ModuleNotFoundError as error:
        parser.error(_missing_package(error, parsed.module))
    console = Console(stderr=True)
    try:
        return int(command(parsed, console))
    except (ManifestError, ClientError) as error:
        for fault in error.faults:
            console.print(fault, style="red", highlight=False, soft_wrap=True, markup=False)
        return _BAD_INPUT


def _called_as() -> str:
    """The words by which people have called this: kubectl finds `kubectl-blendtune` by its plugin's name."""
    return "kubectl blendtune" if Path(sys.argv[0]).name == "kubectl-blendtune" else "blendtune"


def _missing_package(error: ModuleNotFoundError, module: str) -> str:
    """What to install: `run` and `study` need all that trains, everything else the light extra."""
    extras = "operator,trainer,eval" if module == "local_commands" else "client"
    return f"the package {error.name} is not installed: pipx install 'blendtune[{extras}]'"
