"""A model from the hub or from S3: what is fetched of it, whole, resumed and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests import hub_server as hub_api
from tests import s3_server as s3_api
from tests.hub_server import HubServer, Repository
from tests.runtime.remote_model import HUB_FILE, MODEL, S3_FILE, WEIGHTS, fetch
from tests.s3_server import S3Server

from blendtune_api.contract import weights_digest
from blendtune_runtime.errors import BadModel, Transient

pytestmark = pytest.mark.usefixtures("small_requests")

INDEX = b'{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}'
SHARDS = {
    "config.json": b"{}",
    "model.safetensors.index.json": INDEX,
    "model-1-of-2.safetensors": b"1",
    "model-2-of-2.safetensors": b"2",
}


@pytest.fixture(params=["hub", "s3"])
def store(request: pytest.FixtureRequest) -> tuple[str, Callable[[Mapping[str, bytes]], Any]]:
    """A URI, and what puts the files of a model there; in turn on the hub and in a bucket."""
    if request.param == "hub":
        hub: HubServer = request.getfixturevalue("hub")
        return "hf://org/model", lambda files: hub.add(Repository("org/model", [dict(files)]))
    s3: S3Server = request.getfixturevalue("s3")
    return "s3://models/mine", lambda files: s3.put("models", {f"mine/{name}": files[name] for name in files})


def pickles(names: list[str]) -> dict[str, bytes]:
    return dict.fromkeys(names, b"not weights of this model")


@pytest.mark.parametrize(
    ("files", "others"),
    [
        pytest.param(MODEL, {}, id="one file"),
        pytest.param(SHARDS, {}, id="several, by their index"),
        pytest.param(
            MODEL,
            pickles(["consolidated.safetensors", "pytorch_model.bin", "pytorch_model.bin.index.json"]),
            id="not the same weights again",
        ),
        pytest.param(SHARDS, pickles(["model-1-of-9.safetensors"]), id="not what the index does not name"),
        pytest.param(
            MODEL,
            pickles(["adapter_config.json", "adapter_model.safetensors", "checkpoint-1/adapter_config.json"]),
            id="no adapter beside it",
        ),
        pytest.param(
            SHARDS,
            pickles(
                ["original/consolidated.00.pth", "onnx/model.onnx", "model.gguf", "original/params.json"]
            ),
            id="no other formats",
        ),
        pytest.param(MODEL, pickles(["modelling.py", "training_args.bin", "a.pkl"]), id="no code"),
        pytest.param(
            {**MODEL, "additional_chat_templates/tools.jinja": b"{{ tools }}", "chat_template.jinja": b"{}"},
            pickles(["additional_chat_templates/more/x.jinja", "templates/y.jinja"]),
            id="all chat templates",
        ),
        pytest.param({**MODEL, "merges.txt": b"", "vocab.json": b"{}"}, {}, id="an empty file"),
    ],
)
def test_what_is_fetched(
    store: Any, files: dict[str, bytes], others: dict[str, bytes], tmp_path: Path
) -> None:
    uri, put = store
    put({**others, **files})
    assert fetch(uri, tmp_path) == files
    digest = weights_digest(tmp_path / "model")
    for name, content in others.items():  # beside a local model they do not count either
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(content)
    assert weights_digest(tmp_path / "model") == digest


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param({"README.md": b""}, ["no config.json", "holds README.md"], id="no model"),
        pytest.param({"config.json": b"{}"}, ["no weights", "holds config.json"], id="no weights"),
        pytest.param({"config.json": b"{}", "q4.gguf": b""}, ["no weights", "q4.gguf"], id="GGUF"),
        pytest.param({"config.json": b"{}", "consolidated.safetensors": b""}, ["no weights"], id="Mistral"),
        pytest.param(
            {name: SHARDS[name] for name in SHARDS if "2-of-2" not in name},
            ["no model-2-of-2.safetensors", "index.json names"],
            id="a shard is missing",
        ),
        pytest.param(
            {**SHARDS, "model.safetensors.index.json": b"{"}, ["index.json names no weights"], id="no index"
        ),
        pytest.param(
            {**SHARDS, "model.safetensors.index.json": b'{"weight_map": {"a": "../x.safetensors"}}'},
            ["../x.safetensors is not the name of a file beside it"],
            id="a way out",
        ),
    ],
)
def test_what_holds_no_model(store: Any, files: dict[str, bytes], words: list[str], tmp_path: Path) -> None:
    uri, put = store
    put(files)
    with pytest.raises(BadModel) as raised:
        fetch(uri, tmp_path)
    assert all(word in raised.value.message for word in [f"spec.model.uri: {uri}", *words])


@pytest.mark.parametrize(
    ("kind", "faults"),
    [
        pytest.param("hub", [hub_api.Fault("/api/models", status=503)], id="hub: info, 503"),
        pytest.param("hub", [hub_api.Fault("/tree/", status=500)], id="hub: tree, 500"),
        pytest.param("hub", [hub_api.Fault("/tree/", breaks_after=10)], id="hub: tree breaks"),
        pytest.param("hub", [hub_api.Fault("config.json", status=502)], id="hub: small file, 502"),
        pytest.param("hub", [hub_api.Fault(HUB_FILE, breaks_after=100, times=2)], id="hub: shard breaks"),
        pytest.param("hub", [hub_api.Fault(HUB_FILE, breaks_after=0)], id="hub: shard breaks at once"),
        pytest.param("hub", [hub_api.Fault(HUB_FILE, spoils=True)], id="hub: shard is damaged once"),
        pytest.param("hub", [hub_api.Fault("tokenizer.json", spoils=True)], id="hub: small file is damaged"),
        pytest.param("s3", [s3_api.Fault("list-type", 503, "SlowDown")], id="s3: list, SlowDown"),
        pytest.param("s3", [s3_api.Fault(S3_FILE, 503, "SlowDown", times=7)], id="s3: SlowDown seven times"),
        pytest.param("s3", [s3_api.Fault(S3_FILE, 500, "InternalError", times=2)], id="s3: 500 twice"),
        pytest.param("s3", [s3_api.Fault(S3_FILE, breaks_after=100, times=7)], id="s3: shard breaks"),
    ],
)
def test_what_passes_by_itself_is_tried_again(
    kind: str, faults: list[Any], request: pytest.FixtureRequest, pauses: list[float], tmp_path: Path
) -> None:
    server = request.getfixturevalue(kind)
    uri = "hf://org/model" if kind == "hub" else "s3://models/mine"
    if kind == "hub":
        server.add(Repository("org/model", [MODEL]))
    else:
        server.put("models", {f"mine/{name}": MODEL[name] for name in MODEL})
    server.faults[:] = faults
    assert fetch(uri, tmp_path) == MODEL
    assert all(fault.times == 0 for fault in faults)
    assert set(pauses) <= {1, 4, 15}


@pytest.mark.usefixtures("pauses")
def test_another_attempt_goes_on_where_the_first_broke_off(
    store: Any, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    uri, put = store
    put(MODEL)
    server = request.getfixturevalue("hub" if uri.startswith("hf") else "s3")
    partial = tmp_path / "model/model.safetensors.part"
    with pytest.raises(Transient):
        api, path = (hub_api, HUB_FILE) if uri.startswith("hf") else (s3_api, S3_FILE)
        server.faults[:] = [api.Fault(path, status=503, times=99, passes=1)]
        fetch(uri, tmp_path)
    assert 0 < partial.stat().st_size < len(WEIGHTS)
    server.faults.clear()
    server.requests.clear()
    assert fetch(uri, tmp_path) == MODEL
    ranges = [each for each in server.requests if "model.safetensors bytes=" in each]
    assert ranges and not any("bytes=0-" in each for each in ranges)
