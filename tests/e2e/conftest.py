"""One cluster for all end-to-end tests; a namespace of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e import cluster as clusters
from tests.e2e import namespaces, release, training_operator
from tests.e2e.cluster import Cluster
from tests.e2e.layout import state
from tests.e2e.namespaces import Namespace


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    folder = state()
    if folder is None:
        pytest.fail("The end-to-end tests need namespaces of their own: make e2e")
    with clusters.running(folder) as running:
        training_operator.install(running)
        release.install(running)
        yield running


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace named after the test."""
    name = request.node.name.removeprefix("test_").replace("_", "-").replace("[", "-").rstrip("]")
    made = namespaces.create(cluster, name)
    yield made
    namespaces.delete(made)
