"""The files at the export target: whole, alone, and no model while they are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from s3fs import S3FileSystem
from tests.s3_server import Fault, S3Server

from blendtune_runtime.errors import BadConfiguration, StageError, Transient
from blendtune_runtime.models.upload import _Target, try_upload, upload
from blendtune_runtime.uris import StorePath

NOW = {
    "config.json": b"new settings",
    "model.safetensors": b"new weights",
    "tokenizer.json": b"new words",
    "additional_chat_templates/tools.jinja": b"new template",
}
EARLIER = {
    **dict.fromkeys(("adapter_config.json", "adapter_model.safetensors", "config.json"), b"old"),
    **dict.fromkeys(("tokenizer.model", "model.safetensors.index.json"), b"old"),
    **dict.fromkeys(("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"), b"old"),
}
NOTES = dict.fromkeys(
    ("notes.md", "metrics.json", "model-card.safetensors.txt", "checkpoints/model.safetensors"), b"notes"
)
TARGET = StorePath(url="s3://models/ads/home")


def leave(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def now(tmp_path: Path) -> Path:
    return leave(tmp_path / "now", NOW)


@pytest.fixture
def bucket(s3: S3Server) -> S3Server:
    """A store in which an earlier model lies at the target, with notes of its user."""
    s3.put("models", {f"ads/home/{name}": text for name, text in (EARLIER | NOTES).items()})
    s3.put("models", {"ads/other/config.json": b"another model"})
    return s3


def stored(s3: S3Server) -> dict[str, bytes]:
    home = "ads/home/"
    return {
        key.removeprefix(home): text for key, text in s3.objects("models").items() if key.startswith(home)
    }


def test_an_earlier_models_files_do_not_stay_in_a_folder(now: Path, tmp_path: Path) -> None:
    home = leave(tmp_path / "home", EARLIER | NOTES)
    upload(now, StorePath(url=str(home)))
    assert contents(home) == NOTES | NOW


def test_an_earlier_models_files_do_not_stay_in_a_bucket(bucket: S3Server, now: Path) -> None:
    upload(now, TARGET)
    assert stored(bucket) == NOTES | NOW


def test_a_new_place_is_made(s3: S3Server, now: Path, tmp_path: Path) -> None:
    s3.put("models", {})
    for target in (TARGET, StorePath(url=str(tmp_path / "a" / "b"))):
        try_upload(target)
        upload(now, target)
    assert stored(s3) == contents(tmp_path / "a" / "b") == NOW


def test_a_large_file_arrives_in_parts(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = bytes(range(256)) * (12 << 12)  # 12 MiB
    monkeypatch.setattr("s3fs.core.calculate_chunksize", lambda *_, **__: 5 << 20)
    s3.put("models", {})
    s3.faults.append(Fault("partNumber=2", 503, "SlowDown", method="PUT"))
    upload(leave(tmp_path / "large", {"config.json": b"{}", "model.safetensors": weights}), TARGET)
    assert stored(s3)["model.safetensors"] == weights
    assert sum("partNumber=" in request for request in s3.requests) == 4  # three, and one of them again
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket="models")


def begin_upload(s3: S3Server, key: str) -> str:
    """An upload that was killed after its first part."""
    client = s3.client()
    upload_id = client.create_multipart_upload(Bucket="models", Key=key)["UploadId"]
    client.upload_part(Bucket="models", Key=key, UploadId=upload_id, PartNumber=1, Body=b"x" * 100)
    return key


def unfinished(s3: S3Server) -> set[str]:
    uploads = s3.client().list_multipart_uploads(Bucket="models").get("Uploads", ())
    return {each["Key"] for each in uploads}


def test_parts_that_a_killed_copy_left_are_removed_and_no_others(bucket: S3Server, now: Path) -> None:
    for name in ("model.safetensors", "model-00001-of-00002.safetensors", *NOW):
        begin_upload(bucket, f"ads/home/{name}")
    others = {
        begin_upload(bucket, f"ads/{name}")
        for name in ("home/notes.md", "home/checkpoints/model.safetensors", "homely/model.safetensors")
    }
    upload(now, TARGET)
    assert unfinished(bucket) == others
    assert stored(bucket) == NOTES | NOW


@pytest.mark.usefixtures("bucket")
def test_unfinished_uploads_are_found_on_every_page() -> None:
    pages = [
        {
            "Uploads": [{"Key": "ads/home/model.safetensors", "UploadId": "1"}],
            "IsTruncated": True,
            "NextKeyMarker": "ads/home/model.safetensors",
            "NextUploadIdMarker": "1",
        },
        {"Uploads": [{"Key": "ads/home/tokenizer.json", "UploadId": "2"}], "IsTruncated": False},
    ]
    asked: list[dict[str, str]] = []

    def call_s3(_: str, **given: str) -> dict[str, Any]:
        asked.append(given)
        return pages[len(asked) - 1]

    place = _Target(TARGET)
    place._filesystem = SimpleNamespace(call_s3=call_s3)
    assert place._unfinished() == [("ads/home/model.safetensors", "1"), ("ads/home/tokenizer.json", "2")]
    assert asked[1].items() >= {"KeyMarker": "ads/home/model.safetensors", "UploadIdMarker": "1"}.items()


def test_a_store_that_does_not_list_unfinished_uploads_takes_a_model(
    bucket: S3Server, now: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket.faults.append(Fault("uploads", 403, "AccessDenied", times=99))
    upload(now, TARGET)
    assert stored(bucket) == NOTES | NOW
    assert "unfinished uploads may be left there: the store denies access" in capsys.readouterr().out


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("home/model.safetensors", 503, "SlowDown", method="PUT"), id="weights"),
        pytest.param(Fault("home/config.json", 500, "InternalError", method="PUT"), id="configuration"),
        pytest.param(Fault("adapter_model", 503, "SlowDown", method="DELETE"), id="removal"),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_a_copy_that_breaks_off_leaves_no_model_and_is_made_again(
    bucket: S3Server, now: Path, fault: Fault
) -> None:
    fault.times = 99
    bucket.faults.append(fault)
    with pytest.raises(Transient, match=r"spec\.export\.uri: s3://models/ads/home: it does not answer"):
        upload(now, TARGET)
    left = stored(bucket)
    assert left.get("config.json") in (None, NOW["config.json"])
    assert "adapter_config.json" not in left
    if "config.json" in left:
        assert left.items() >= NOW.items()
    bucket.faults.clear()
    upload(now, TARGET)
    assert stored(bucket) == NOTES | NOW


@pytest.mark.usefixtures("pauses")
def test_a_store_that_fails_for_longer_than_its_client_waits(bucket: S3Server, now: Path) -> None:
    bucket.faults[:] = [Fault("home/model.safetensors", 503, "SlowDown", method="PUT", times=999)]
    with pytest.raises(OSError, match="SlowDown"):
        S3FileSystem().pipe_file("models/ads/home/model.safetensors", b"")
    (fault,) = bucket.faults
    fault.times = 999 - fault.times  # as often as the client asks
    upload(now, TARGET)
    assert fault.times == 0
    assert stored(bucket) == NOTES | NOW


def test_a_copy_to_a_folder_that_breaks_off_leaves_no_model(now: Path, tmp_path: Path) -> None:
    home = leave(tmp_path / "home", {"config.json": b"old", "model.safetensors/is a folder": b""})
    with pytest.raises(Transient, match="Is a directory"):
        upload(now, StorePath(url=str(home)))
    assert not (home / "config.json").exists()


@pytest.mark.parametrize("attempt", [upload, lambda _, target: try_upload(target)], ids=["upload", "try"])
@pytest.mark.parametrize(
    ("url", "environment", "fault", "kind", "words"),
    [
        pytest.param(
            "s3://modles/ads", {}, None, BadConfiguration, "no such bucket", id="no bucket, and none is made"
        ),
        pytest.param("", {"AWS_ACCESS_KEY_ID": "x"}, None, BadConfiguration, "secretRef", id="keys"),
        pytest.param(
            "",
            {},
            Fault("home", 403, "AccessDenied", method="PUT"),
            BadConfiguration,
            "may do",
            id="read only",
        ),
        pytest.param("", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, None, Transient, "127.0.0.1", id="gone"),
        pytest.param("", {}, Fault("home", 503, "SlowDown", method="PUT"), Transient, "SlowDown", id="503"),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_what_a_target_refuses(
    bucket: S3Server,
    now: Path,
    change_environment: Callable[[Mapping[str, str | None]], None],
    attempt: Any,
    url: str,
    environment: dict[str, str],
    fault: Fault | None,
    kind: type[StageError],
    words: str,
) -> None:
    change_environment(environment)
    if fault is not None:
        fault.times = 99
        bucket.faults.append(fault)
    with pytest.raises(StageError, match=f"(?s)spec.export.uri: s3://.*{words}") as raised:
        attempt(now, StorePath(url=url) if url else TARGET)
    assert raised.type is kind
    with pytest.raises(KeyError):
        bucket.objects("modles")


def test_a_try_leaves_nothing(bucket: S3Server, tmp_path: Path) -> None:
    try_upload(TARGET)
    try_upload(StorePath(url=str(tmp_path / "home")))
    assert stored(bucket) == EARLIER | NOTES
    assert contents(tmp_path / "home") == {}
