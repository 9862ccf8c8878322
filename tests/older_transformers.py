"""An environment with the oldest transformers that the vLLM of examples/first-run/serve.yaml runs with."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.layout import CACHE, ROOT
from tests.e2e.locking import exclusive

PACKAGES = ("transformers==4.57.6", "tokenizers==0.22.2", "huggingface-hub==0.36.2")
UV = Path(sys.executable).with_name("uv")
_READER = ROOT / "tests" / "read_model.py"


def older_python() -> Path:
    """The interpreter of the environment, which is made once for all clones: 70 MB, with torch left out.

    Skips the test where PyPI is out of reach.
    """
    root = CACHE / "venvs"
    folder = root / PACKAGES[0].replace("==", "-")
    with exclusive(root):
        if not folder.exists():
            _make(folder)
    return folder / "bin" / "python"


def read_by_older(folders: Sequence[Path], **request: Any) -> list[dict[str, Any]]:
    """What the older transformers makes of each model; see `tests/read_model.py`."""
    packages = sysconfig.get_path("purelib")  # torch and the rest, behind what the environment has itself
    command = [older_python(), _READER, packages, json.dumps({"texts": [], **request}), *folders]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    reports: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return reports


def _make(folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    try:
        for command in (
            ["venv", "--quiet", "--clear", "--python", sys.executable, str(unfinished)],
            ["pip", "install", "--quiet", "--no-deps", "--python", str(unfinished), *PACKAGES],
        ):
            subprocess.run([UV, *command], check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"{PACKAGES[0]} cannot be installed: {error}")
    unfinished.rename(folder)
