"""For all tests: which need a cluster's programs, one thread for each of several workers, hub and store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.hub_server import HubServer
    from tests.s3_server import S3Server

if "PYTEST_XDIST_WORKER" in os.environ:  # before anything imports torch, which reads it once
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """A test that stands on the control plane is one of `make test-cluster`."""
    for item in items:
        if "plane" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def hub_server() -> Iterator[HubServer]:
    from tests.hub_server import serving

    with serving() as server:
        yield server


@pytest.fixture
def hub(hub_server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    """An empty hub, and no token. The libraries read its address once, when they are imported."""
    import datasets
    from huggingface_hub import HfFileSystem, constants

    hub_server.clear()
    HfFileSystem.clear_instance_cache()
    template = f"{hub_server.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "ENDPOINT", hub_server.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", hub_server.endpoint)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    return hub_server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    from tests.s3_server import serving

    with serving() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """An empty store, whose keys are in the environment."""
    from s3fs import S3FileSystem

    s3_server.clear()
    monkeypatch.setattr(S3FileSystem, "retries", 2)  # of its own, before ours
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    S3FileSystem().invalidate_cache()  # a client is slow to make, and so all tests share one
    return s3_server


@pytest.fixture
def change_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Mapping[str, str | None]], None]]:
    """Sets variables by which a client of S3 is made, or removes those that are None."""
    from s3fs import S3FileSystem

    def change(variables: Mapping[str, str | None]) -> None:
        if variables:
            S3FileSystem.clear_instance_cache()
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)

    yield change
    S3FileSystem.clear_instance_cache()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between requests that are repeated, which are not waited for."""
    from blendtune_runtime import store_retries

    waited: list[float] = []
    monkeypatch.setattr(store_retries, "sleep", waited.append)
    return waited
