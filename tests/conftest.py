"""For all tests: which of them need a cluster's programs, and one thread for each of several workers."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # before anything imports torch, which reads it once
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """A test that stands on the control plane is one of `make test-cluster`."""
    for item in items:
        if "plane" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)
