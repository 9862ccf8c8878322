"""Files that come through the API server's exec: whole, or told as what they lack."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePosixPath

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from blendtune_operator.api import connected
from blendtune_operator.client.access import Access, explain
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.reader import NotInClaim, Reader
from blendtune_operator.client.remote_command import PROTOCOL

SUCCESS = b"\x03" + json.dumps({"status": "Success"}).encode()
FAILURE = b"\x03" + json.dumps({"status": "Failure", "message": "exit code 2"}).encode()


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as entries:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entries.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def pieces(content: bytes, size: int = 1000) -> list[bytes]:
    return [b"\x01" + content[start : start + size] for start in range(0, len(content), size)]


def fetched(messages: Sequence[bytes], folder: Path, path: str = "team/ads/model") -> tuple[Path, list[str]]:
    """What `Reader.fetch` makes of an API server that sends these messages, and the command that it ran."""
    asked: list[str] = []

    async def exec_(request: web.Request) -> web.WebSocketResponse:
        asked.extend(request.query.getall("command"))
        socket = web.WebSocketResponse(protocols=(PROTOCOL,))
        await socket.prepare(request)
        for message in messages:
            await socket.send_bytes(message)
        await socket.close()
        return socket

    async def fetch() -> Path:
        async def with_access(access: Access) -> Path:
            return await Reader(access, "reader").fetch(PurePosixPath(path), folder)

        return await _served(exec_, with_access)

    return asyncio.run(fetch()), asked


async def _served(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], use: Callable[[Access], Awaitable[Path]]
) -> Path:
    application = web.Application()
    application.router.add_get("/api/v1/namespaces/team/pods/reader/exec", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with connected(configuration, 4, lambda *_: None) as api:
            return await use(Access(api, "team"))
    finally:
        await runner.cleanup()


def test_a_folder_comes_whole(tmp_path: Path) -> None:
    weights = bytes(range(256)) * 4000
    sent = archive({"model/config.json": b"{}", "model/model.safetensors": weights})
    found, command = fetched([*pieces(sent), SUCCESS], tmp_path)
    assert found == tmp_path / "model"
    assert (found / "model.safetensors").read_bytes() == weights
    assert command[0] == "tar"
    assert command[-2:] == ["--directory=/claim/team/ads", "model"]


@pytest.mark.parametrize(
    ("messages", "raised", "said"),
    [
        pytest.param(
            [b"\x02tar: model: Cannot stat: No such file", FAILURE], NotInClaim, "not in the claim",
            id="not there",
        ),
        pytest.param(
            [b"\x02tar: model: Permission denied", FAILURE], ClientError, "Permission denied", id="unreadable"
        ),
        pytest.param([FAILURE], ClientError, "exit code 2", id="no word why"),
        pytest.param(
            [*pieces(archive({"../escaped": b"x"})), SUCCESS], ClientError, "outside", id="out of the folder"
        ),
        pytest.param(
            [*pieces(archive({"model/w": b"w" * 9000}))[:3], SUCCESS], ClientError, "could not be written",
            id="cut",
        ),
    ],
)  # fmt: skip
def test_what_did_not_come_is_told(
    tmp_path: Path, messages: list[bytes], raised: type[ClientError], said: str
) -> None:
    with pytest.raises(raised, match=said):
        fetched(messages, tmp_path / "target")
    assert not (tmp_path / "escaped").exists()


def test_a_connection_that_breaks_is_no_file(tmp_path: Path) -> None:
    from blendtune_operator.api import ApiError

    with pytest.raises(ApiError, match="the connection broke") as raised:
        fetched(pieces(archive({"model/w": b"w" * 9000})), tmp_path)
    assert "does not answer" in str(explain(raised.value, "team"))
