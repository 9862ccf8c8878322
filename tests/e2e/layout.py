"""Where the end-to-end tests keep things. Only the cache outlives them."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
BINARIES = CACHE / "bin"
TOOLS = ROOT / "tests" / "cluster" / "tools"  # Go modules that pin the cluster's programs
IMAGES = CACHE / "e2e"  # base system, buildah's and containerd's storage
RESULTS = CACHE / "e2e" / "results"  # what the tests saw, for reading afterwards
MANIFESTS = Path(__file__).parent / "manifests"

STATE_VARIABLE = "BLENDTUNE_E2E_STATE"  # set by __main__, inside the namespaces that it made


def state() -> Path | None:
    """The folder of the cluster's state; None outside the namespaces."""
    folder = os.environ.get(STATE_VARIABLE)
    return Path(folder) if folder else None
