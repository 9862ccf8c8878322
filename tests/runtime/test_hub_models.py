"""A model from the hub: its revision, and what the hub refuses or breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.hub_server import Fault, HubServer, Repository
from tests.runtime.remote_model import HUB_FILE, MODEL, WEIGHTS, fetch

from blendtune_runtime.errors import BadConfiguration, BadModel, StageError, Transient

pytestmark = pytest.mark.usefixtures("small_requests")


def test_the_hub_says_when_to_come_back(hub: HubServer, pauses: list[float], tmp_path: Path) -> None:
    hub.add(Repository("org/model", [MODEL]))
    hub.faults.append(Fault("/revision/", status=429, headers={"Retry-After": "77"}))
    assert fetch("hf://org/model", tmp_path) == MODEL
    assert pauses == [77]
    hub.faults.append(Fault("/revision/", status=429, headers={"Retry-After": "7200"}))
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
    hub.faults.append(Fault(HUB_FILE, times=99, **fault))
    with pytest.raises(Transient, match=words):
        fetch("hf://org/model", tmp_path)
    assert not (tmp_path / "model/model.safetensors").exists()
    hub.faults.clear()
    assert fetch("hf://org/model", tmp_path) == MODEL


@pytest.mark.usefixtures("pauses")
def test_what_has_changed_is_not_gone_on_with(hub: HubServer, tmp_path: Path) -> None:
    hub.add(Repository("org/model", [MODEL]))
    hub.faults.append(Fault(HUB_FILE, breaks_after=10, times=99))
    with pytest.raises(Transient):
        fetch("hf://org/model", tmp_path)
    hub.faults.clear()
    newer = {"config.json": b"{ }", "model.safetensors": b"other"}
    hub.add(Repository("org/model", [MODEL, newer]))
    assert fetch("hf://org/model", tmp_path) == newer
