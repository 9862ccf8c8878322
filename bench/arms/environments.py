"""The environments of the trainers that ours is measured beside, in .cache/bench."""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

import torch

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "bench"
TRL_VERSION = "1.16.0"
LLAMAFACTORY_VERSION = "0.9.5"


def trl_python() -> Path:
    """The Python of an environment with TRL, over the packages of this one."""
    return _python(CACHE / "trl", [f"trl=={TRL_VERSION}"], over_ours=True)


def llamafactory_python() -> Path:
    """The Python of an environment with LLaMA-Factory, our torch, and what it needs, older than ours."""
    requirements = [f"llamafactory=={LLAMAFACTORY_VERSION}", f"torch=={version('torch')}"]
    return _python(CACHE / "llamafactory", requirements, over_ours=False)


def llamafactory_at_hand() -> Path | None:
    """The Python of LLaMA-Factory's environment, if it was made."""
    python = CACHE / "llamafactory" / "bin" / "python"
    return python if python.exists() else None


def _python(folder: Path, requirements: list[str], over_ours: bool) -> Path:
    """The Python of an environment, made when it is not there."""
    python, marker = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "\n".join(requirements)
    if marker.exists() and marker.read_text() == wanted:
        return python
    venv.create(folder, clear=True)
    if over_ours:
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "blendtune.pth").write_text(f"{Path(torch.__file__).parents[1]}\n")
    uv = Path(sys.executable).with_name("uv")
    options = ["--quiet", *(["--no-deps"] if over_ours else []), "--python", str(python)]
    subprocess.run([uv, "pip", "install", *options, *requirements], check=True)
    marker.write_text(wanted)
    return python
