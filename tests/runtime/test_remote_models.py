"""A model from the hub or from S3: fetched whole, resumed, checked; and what each fault is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests import hub_server as hub_api
from tests import s3_server as s3_api
from tests.hub_server import HubServer, Repository
from tests.s3_server import S3Server

from blendtune_api.contract import weights_digest
from blendtune_runtime.errors import BadConfiguration, BadModel, StageError, Transient
from blendtune_runtime.models import transfer
from blendtune_runtime.models.download import download
from blendtune_runtime.models.sources import model_source
from blendtune_runtime.uris import model_location

CHUNK = 1000  # bytes of a request, in these tests
WEIGHTS = bytes(range(256)) * 12  # 3,072 bytes: four requests
INDEX = b'{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}'
MODEL = {"config.json": b"{}", "tokenizer.json": b'{"words": 1}', "model.safetensors": WEIGHTS}
SHARDS = {
    "config.json": b"{}",
    "model.safetensors.index.json": INDEX,
    "model-1-of-2.safetensors": b"1",
    "model-2-of-2.safetensors": b"2",
}


@pytest.fixture(autouse=True)
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_CHUNK_BYTES", CHUNK)


def fetch(uri: str, folder: Path) -> dict[str, bytes]:
    """The files that a download leaves."""
    location = model_location(uri, "main", folder, "spec.model.uri")
    download(model_source(location, "spec.model"), folder / "model")
    return contents(folder / "model")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(".")
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


HUB_FILE, S3_FILE = "cdn.*model.safetensors", "mine/model.safetensors"


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


def test_the_hub_says_when_to_come_back(hub: HubServer, pauses: list[float], tmp_path: Path) -> None:
    hub.add(Repository("org/model", [MODEL]))
    hub.faults.append(hub_api.Fault("/revision/", status=429, headers={"Retry-After": "77"}))
    assert fetch("hf://org/model", tmp_path) == MODEL
    assert pauses == [77]
    hub.faults.append(hub_api.Fault("/revision/", status=429, headers={"Retry-After": "7200"}))
    with pytest.raises(Transient, match="429"):
        fetch("hf://org/model", tmp_path / "later")
    assert pauses == [77]


@pytest.mark.parametrize(
    ("repository", "uri", "token", "kind", "words"),
    [
        pytest.param({}, "hf://org/none", None, BadModel, "private: check the name.*HF_TOKEN", id="none"),
        pytest.param({}, "hf://org/none", "good", BadModel, "no such repository", id="none, with a token"),
        pytest.param({"token": "good"}, "hf://org/model", None, BadModel, "secretRef", id="private"),
        pytest.param({"token": "good"}, "hf://org/model", "other", BadModel, "secretRef", id="other token"),
        pytest.param({}, "hf://org/model", "expired", BadConfiguration, "HF_TOKEN", id="expired token"),
        pytest.param(
            {"token": "good", "gated": True},
            "hf://org/model",
            None,
            BadConfiguration,
            "gated",
            id="gated",
        ),
        pytest.param(
            {"token": "good", "gated": True},
            "hf://org/model",
            "other",
            BadConfiguration,
            "accept its terms.*HF_TOKEN",
            id="gated, 403",
        ),
        pytest.param({}, "hf://org/model@v9", None, BadModel, "no such revision", id="revision"),
        pytest.param({}, f"hf://org/model@{'0' * 40}", None, BadModel, "no such revision", id="commit"),
        pytest.param({}, "hf://org/a--b", None, BadConfiguration, "refused", id="not a name"),
        pytest.param({}, "hf://org/model/sub", None, BadConfiguration, "ORG/NAME", id="a folder"),
    ],
)
def test_what_the_hub_refuses_for_good(
    hub: HubServer,
    pauses: list[float],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    repository: dict[str, Any],
    uri: str,
    token: str | None,
    kind: type[StageError],
    words: str,
) -> None:
    hub.add(Repository("org/model", [MODEL], **repository))
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(StageError, match=f"(?s)spec.model.uri: .*{words}") as raised:
        fetch(uri, tmp_path)
    assert raised.type is kind
    assert pauses == []


def test_a_token_opens_a_gated_model(hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub.add(Repository("org/model", [MODEL], token="good", gated=True))
    monkeypatch.setenv("HF_TOKEN", "good")
    assert fetch("hf://org/model", tmp_path) == MODEL


@pytest.mark.parametrize("revision", ["v1", "main", "commit"])
def test_a_revision_is_what_is_fetched(hub: HubServer, revision: str, tmp_path: Path) -> None:
    newer = {**MODEL, "model.safetensors": WEIGHTS[::-1]}
    repository = hub.add(Repository("org/model", [MODEL, newer]))
    named = repository.commit_id(0) if revision == "commit" else revision
    assert fetch(f"hf://org/model@{named}", tmp_path) == (newer if revision == "main" else MODEL)


def test_a_tree_of_many_pages(hub: HubServer, tmp_path: Path) -> None:
    others = {f"a{number:03}/weights.bin": b"" for number in range(120)}
    hub.add(Repository("org/model", [{**others, **MODEL}]))
    assert fetch("hf://org/model", tmp_path) == MODEL
    assert sum("/tree/" in request for request in hub.requests) > 2


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param({"spoils": True}, "arrived damaged twice", id="another digest"),
        pytest.param({"shortens": 100}, "bytes 3000 to 3072|bytes came|416", id="another size"),
        pytest.param({"status": 503}, "does not answer", id="503"),
        pytest.param({"breaks_after": 10}, "does not answer", id="breaks"),
    ],
)
def test_what_does_not_pass_is_left_to_another_attempt(
    hub: HubServer, fault: dict[str, Any], words: str, tmp_path: Path
) -> None:
    hub.add(Repository("org/model", [MODEL]))
    hub.faults.append(hub_api.Fault(HUB_FILE, times=99, **fault))
    with pytest.raises(Transient, match=words):
        fetch("hf://org/model", tmp_path)
    assert not (tmp_path / "model/model.safetensors").exists()
    hub.faults.clear()
    assert fetch("hf://org/model", tmp_path) == MODEL


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


@pytest.mark.usefixtures("pauses")
def test_what_has_changed_is_not_gone_on_with(hub: HubServer, tmp_path: Path) -> None:
    hub.add(Repository("org/model", [MODEL]))
    hub.faults.append(hub_api.Fault(HUB_FILE, breaks_after=10, times=99))
    with pytest.raises(Transient):
        fetch("hf://org/model", tmp_path)
    hub.faults.clear()
    newer = {"config.json": b"{ }", "model.safetensors": b"other"}
    hub.add(Repository("org/model", [MODEL, newer]))
    assert fetch("hf://org/model", tmp_path) == newer


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
