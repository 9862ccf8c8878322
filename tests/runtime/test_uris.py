"""What the URIs of the spec name."""

from __future__ import annotations

from pathlib import Path

import pytest

from blendtune_runtime.errors import BadConfiguration
from blendtune_runtime.uris import (
    HubData,
    HubRepository,
    RepositoryType,
    StorePath,
    data_location,
    model_location,
    store_path,
)

CLAIMS = Path("/claims")


def data(revision: str | None = None, path: str = "") -> HubData:
    repository = HubRepository(name="org/name", type=RepositoryType.DATASET, revision=revision)
    return HubData(repository=repository, path=path)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        pytest.param("pvc://datasets/a/ads.jsonl", StorePath(url="/claims/datasets/a/ads.jsonl"), id="claim"),
        pytest.param("file:///data/ads.jsonl", StorePath(url="/data/ads.jsonl"), id="file"),
        pytest.param("s3://bucket/ads", StorePath(url="s3://bucket/ads"), id="bucket"),
        pytest.param("hf://datasets/org/name", data(), id="data set"),
        pytest.param("hf://datasets/org/name/", data(), id="data set with a slash"),
        pytest.param("hf://datasets/org/name@v1", data("v1"), id="revision"),
        pytest.param("hf://datasets/org/name@v1/data/a.jsonl", data("v1", "data/a.jsonl"), id="file of it"),
        pytest.param("hf://datasets/org/name/data/*.jsonl", data(None, "data/*.jsonl"), id="pattern"),
        pytest.param(
            "hf://datasets/org/name@refs/convert/parquet/en/train/0.parquet",
            data("refs/convert/parquet", "en/train/0.parquet"),
            id="converted",
        ),
        pytest.param("hf://datasets/org/name@refs%2Fpr%2F1", data("refs/pr/1"), id="encoded"),
    ],
)
def test_data(uri: str, expected: object) -> None:
    assert data_location(uri, CLAIMS, "uri") == expected


def test_split_and_config() -> None:
    location = data_location("hf://datasets/org/name", CLAIMS, "uri", split="test", config="en")
    assert isinstance(location, HubData)
    assert (location.split, location.config) == ("test", "en")


@pytest.mark.parametrize(
    ("uri", "revision"),
    [
        pytest.param("hf://org/name", "main", id="the spec's revision"),
        pytest.param("hf://org/name@v1", "v1", id="its own revision"),
        pytest.param("hf://models/org/name@refs/pr/3", "refs/pr/3", id="a pull request"),
    ],
)
def test_models(uri: str, revision: str) -> None:
    expected = HubRepository(name="org/name", type=RepositoryType.MODEL, revision=revision)
    assert model_location(uri, "main", CLAIMS, "uri") == expected


@pytest.mark.parametrize("uri", ["pvc://a/../../etc", "s3://a/../b", "http://x/y", "hf://name", "hf://a/b"])
def test_data_that_leads_astray(uri: str) -> None:
    with pytest.raises(BadConfiguration) as raised:
        data_location(uri, CLAIMS, "spec.blend.sources[ads].uri")
    assert raised.value.message.startswith(f"spec.blend.sources[ads].uri: {uri}")


@pytest.mark.parametrize("uri", ["hf://datasets/org/name", "hf://org/name/folder", "ftp://a/b"])
def test_models_that_lead_astray(uri: str) -> None:
    with pytest.raises(BadConfiguration, match=f"spec.model.uri: {uri}"):
        model_location(uri, "main", CLAIMS, "spec.model.uri")


def test_a_store_path_knows_whether_it_is_local() -> None:
    assert store_path("file:///a", CLAIMS, "uri").local == Path("/a")
    assert store_path("s3://a/b", CLAIMS, "uri").local is None
