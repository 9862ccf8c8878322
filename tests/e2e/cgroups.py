"""The control groups of the kubelet's pods: the only thing that does not end with the namespaces."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.kubelet import CGROUP

_ROOT = Path("/sys/fs/cgroup")


def prepare() -> None:
    """Makes the group below which the kubelet makes its own."""
    for controller in _controllers():
        (controller / CGROUP).mkdir(exist_ok=True)


def remove() -> None:
    for controller in _controllers():
        for folder, _, _ in os.walk(controller / CGROUP, topdown=False):
            Path(folder).rmdir()


def _controllers() -> list[Path]:
    """The hierarchies of version 1, or the one of version 2."""
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [path for path in _ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
