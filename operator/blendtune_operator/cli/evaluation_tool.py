"""The tools of the evaluation, in a process of their own: the operator never imports that package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from blendtune_operator.cli.exit_status import ExitStatus


def evaluation_tool(arguments: Sequence[str]) -> ExitStatus:
    """Runs one command of `python -m blendtune_eval` on this terminal."""
    done = subprocess.run([sys.executable, "-m", "blendtune_eval", *arguments], check=False)
    return ExitStatus.BAD_INPUT if done.returncode else ExitStatus.SUCCESS
