"""Where the tests on clusters keep things: in the user's cache what takes long to make, else in the clone."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tests" / "cluster" / "tools"  # Go modules that pin the cluster's programs
MANIFESTS = Path(__file__).parent / "manifests"
RESULTS = ROOT / ".cache" / "e2e"  # what the end-to-end tests saw, for reading afterwards

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "blendtune"  # of all clones
BINARIES = CACHE / "bin"
IMAGES = CACHE / "e2e"  # base system, buildah's and containerd's storage

STATE_VARIABLE = "BLENDTUNE_E2E_STATE"  # set by __main__, inside the namespaces that it made


def state() -> Path | None:
    """The folder of the cluster's state; None outside the namespaces."""
    folder = os.environ.get(STATE_VARIABLE)
    return Path(folder) if folder else None
