"""The cluster of the end-to-end tests, with JobSet and Kubeflow Trainer; Kueue where a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e import cluster as clusters
from tests.e2e import release, training_operator
from tests.e2e.cluster import Cluster
from tests.e2e.layout import state
from tests.e2e.namespaces import Namespace
from tests.e2e.peers import controllers, queues


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    folder = state()
    if folder is None:
        pytest.fail("The tests with peers need namespaces of their own: make e2e-peers")
    with clusters.running(folder) as running:
        training_operator.install(running)
        controllers.install(running, controllers.JOB_SET)
        controllers.install(running, controllers.TRAINER)
        release.install(running)
        yield running


@pytest.fixture(scope="session")
def kueue(cluster: Cluster) -> None:
    controllers.install(cluster, controllers.KUEUE)


@pytest.fixture
def queue(namespace: Namespace, kueue: None) -> Iterator[Namespace]:
    """The namespace, with a queue."""
    del kueue
    with queues.queue(namespace):
        yield namespace
