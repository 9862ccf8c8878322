"""One cluster for all end-to-end tests; a namespace of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e import cluster as clusters
from tests.e2e import release, training_operator, workplace
from tests.e2e.cluster import Cluster
from tests.e2e.layout import state
from tests.e2e.workplace import Workplace


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
def place(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Workplace]:
    """A namespace named after the test."""
    name = request.node.name.removeprefix("test_").replace("_", "-").replace("[", "-").rstrip("]")
    made = workplace.make(cluster, name)
    yield made
    workplace.remove(made)
