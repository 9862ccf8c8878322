"""One control plane for all tests here; each test has a namespace of its own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.client import Client
from tests.cluster.control_plane import ControlPlane, control_plane
from tests.cluster.namespaces import namespace_of

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("control-plane")) as started:
        yield started


@pytest.fixture
def client(plane: ControlPlane) -> Client:
    return plane.client


@pytest.fixture
def namespace(client: Client) -> Iterator[str]:
    with namespace_of(client, f"team-{next(_numbers)}") as name:
        yield name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
