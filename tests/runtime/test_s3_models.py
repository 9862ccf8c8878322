"""A model from S3: what the store refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.runtime.remote_model import MODEL, fetch
from tests.s3_server import S3Server

from blendtune_runtime.errors import BadConfiguration, BadModel, StageError, Transient


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("environment", "uri", "kind", "words"),
    [
        pytest.param({"AWS_ACCESS_KEY_ID": "wrong"}, "", BadConfiguration, "denies.*secretRef", id="keys"),
        pytest.param(
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "",
            BadConfiguration,
            "no keys.*secretRef",
            id="no keys",
        ),
        pytest.param({"AWS_SECRET_ACCESS_KEY": None}, "", BadConfiguration, "no keys", id="half a key"),
        pytest.param({}, "s3://models/other", BadModel, "no such file", id="no such folder"),
        pytest.param({}, "s3://nowhere/mine", BadModel, "no such bucket", id="no such bucket"),
        pytest.param({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "", Transient, "127.0.0.1:9", id="gone"),
        pytest.param({"AWS_ENDPOINT_URL": "minio:9000"}, "", BadConfiguration, "http://", id="no endpoint"),
        pytest.param({"AWS_PROFILE": "mine"}, "", BadConfiguration, "no keys", id="no such profile"),
    ],
)
def test_what_s3_refuses(
    s3: S3Server,
    change_environment: Callable[[Mapping[str, str | None]], None],
    tmp_path: Path,
    environment: dict[str, str | None],
    uri: str,
    kind: type[StageError],
    words: str,
) -> None:
    s3.put("models", {f"mine/{name}": MODEL[name] for name in MODEL})
    change_environment(environment)
    with pytest.raises(StageError, match=f"(?s)spec.model.uri: s3://.*{words}") as raised:
        fetch(uri or "s3://models/mine", tmp_path)
    assert raised.type is kind


def test_a_bucket_in_another_region_is_found(
    s3: S3Server, change_environment: Callable[[Mapping[str, str | None]], None], tmp_path: Path
) -> None:
    s3.put("models", {f"mine/{name}": MODEL[name] for name in MODEL})
    change_environment({"AWS_DEFAULT_REGION": "us-west-2"})
    assert fetch("s3://models/mine", tmp_path) == MODEL
