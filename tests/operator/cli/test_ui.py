"""The page of all runs: what it shows, to whom it answers, and that it changes with the runs."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from docs.client import examples

from blendtune_documents.pages import render_part
from blendtune_operator.cli.ui.overview import as_values, overview
from blendtune_operator.cli.ui.server import Page, serving
from blendtune_operator.cli.ui.sources import Losses, Shown, local_report, look
from blendtune_operator.client.faults import ClientError
from blendtune_operator.names import Object

TAG = "<script>document.title = 'run'</script>"
LOSSES = [(1, 2.0), (2, 1.5), (3, 1.25)]


def shown(objects: list[Object], note: str = "") -> str:
    histories = {obj["metadata"]["uid"]: LOSSES for obj in objects}
    values = as_values(overview(objects, histories), "namespace team", note)
    return render_part("entries", values, package="blendtune_operator.cli.ui")


def runs() -> list[Object]:
    found = examples()
    for number, obj in enumerate(found):
        obj["metadata"]["uid"] = f"uid-{number}"
    return found


def test_what_is_under_way_comes_first_and_is_open() -> None:
    text = shown(runs())
    assert re.findall(r'<details class="panel run" id="blendedfinetune-([a-z-]+)"( open)?>', text) == [
        ("ads", " open"), ("ads-lora", ""), ("ads-first", ""),
    ]  # fmt: skip
    assert "1 training, 1 queued, 1 succeeded" in text
    assert "step 26/52" in text


def test_an_entry_has_curve_scores_gates_and_its_report() -> None:
    text = shown(runs())
    assert "Training loss of ads: training loss 1.25 at the end" in text
    for words in ("0.694", "+0.694", "0.54 to 0.81", "gates passed"):
        assert words in text, words
    assert re.findall(r'href="([^"]+)"', text) == ["/report/blendedfinetune/ads-first"]


def test_what_names_hold_is_text() -> None:
    obj = runs()[0]
    obj["status"]["conditions"] = [
        {**obj["status"]["conditions"][0], "type": "Failed", "status": "True", "message": TAG}
    ]
    obj["status"]["state"] = "Failed"
    text = shown([obj], note=TAG)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_an_object_that_cannot_be_read_hides_no_other() -> None:
    objects = runs()
    objects[1]["spec"]["later"] = True
    assert [entry.name for entry in overview(objects, {})] == ["ads", "ads-first"]


def test_losses_are_kept_as_they_were_seen() -> None:
    losses, obj = Losses(), runs()[0]
    for step, loss in (
        (1, "2.0"),
        (2, "1.5"),
        (2, "1.5"),
        (5, "1.0"),
        (3, "1.4"),
    ):  # it went back to a checkpoint
        obj["status"]["trainerStatus"]["metrics"] = [
            {"name": "step", "value": str(step)}, {"name": "loss", "value": loss},
        ]  # fmt: skip
        losses.take([obj])
    assert losses.found == {"uid-0": [(1, 2.0), (2, 1.5), (3, 1.4)]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of local runs, of which one has a report."""
    for obj in runs():
        name = obj["metadata"]["name"]
        objects = tmp_path / name / "objects"
        objects.mkdir(parents=True)
        (objects / f"BlendedFineTune-{name}.json").write_text(json.dumps(obj))
    place = tmp_path / "ads-first/claims/blendtune/team/ads-first"
    (place / "eval").mkdir(parents=True)
    (place / "eval/report.html").write_text("<html>the report</html>")
    (place / "train").mkdir()
    (place / "train/steps.jsonl").write_text(
        "".join(json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in LOSSES)
    )
    return tmp_path


def test_local_runs_are_found_with_their_losses_and_reports(folder: Path) -> None:
    found = look(folder)
    assert {obj["metadata"]["name"] for obj in found.objects} == {"ads", "ads-lora", "ads-first"}
    assert found.histories["uid-2"] == LOSSES
    report = local_report(folder, "blendedfinetune", "ads-first")
    assert report is not None
    assert local_report(folder, "blendedfinetune", "ads") is None
    assert local_report(folder, "blendedfinetune", "../ads") is None
    assert len(look(folder / "ads").objects) == 1


def served(folder: Path, ask: Callable[[aiohttp.ClientSession, str, asyncio.Event], Awaitable[Any]]) -> Any:
    """What is answered by a page whose runs change once the event is set."""

    async def serve() -> Any:
        change = asyncio.Event()

        async def source() -> AsyncGenerator[Shown, None]:
            yield look(folder)
            await change.wait()
            yield Shown((), {}, "connection lost")
            await asyncio.Event().wait()

        async def report(kind: str, name: str) -> Path | None:
            return local_report(folder, kind, name)

        page = Page("here")
        async with serving(page, report, 0) as address, aiohttp.ClientSession() as session:
            following = asyncio.create_task(page.follow(source()))
            try:
                return await ask(session, address, change)
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)

    return asyncio.run(serve())


def test_the_page_lets_nothing_in_and_changes_with_the_runs(folder: Path) -> None:
    async def ask(
        session: aiohttp.ClientSession, address: str, change: asyncio.Event
    ) -> tuple[str, str, str]:
        async with session.get(address) as answer:
            page = await answer.text()
            assert answer.headers["X-Frame-Options"] == "DENY"
        parts = []
        async with session.get(f"{address}events") as stream:
            async for line in stream.content:
                if not line.startswith(b"data: "):
                    continue
                parts.append(json.loads(line[6:]))
                if "ads-first" in parts[-1]:
                    change.set()
                if "connection lost" in parts[-1]:
                    break
        return page, parts[-2], parts[-1]

    page, before, after = served(folder, ask)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert re.fullmatch(
        r"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[^']+'; connect-src 'self'; "
        r"base-uri 'none'; form-action 'none'", policy,
    )  # fmt: skip
    assert "ads-lora" in before
    assert "no runs yet" in after


def test_a_page_that_has_the_present_version_is_told_of_the_next_alone(folder: Path) -> None:
    async def ask(session: aiohttp.ClientSession, address: str, change: asyncio.Event) -> list[str]:
        async with session.get(f"{address}events") as stream:  # until the runs have been read
            assert await _told(stream, "ads-first")
        async with session.get(address) as answer:
            text = await answer.text()
        (version,) = re.findall(r'data-version="(\d+)"', text)
        async with session.get(f"{address}events", params={"seen": version}) as stream:
            change.set()
            return [json.loads(line[6:]) async for line in _first_event(stream)]

    (told,) = served(folder, ask)
    assert "no runs yet" in told


def test_a_page_that_is_closed_is_no_error(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def ask(session: aiohttp.ClientSession, address: str, change: asyncio.Event) -> None:
        async with session.get(f"{address}events") as stream:
            assert [line async for line in _first_event(stream)]
        change.set()
        async with session.get(f"{address}events") as stream:  # the change has been told to all
            assert await _told(stream, "connection lost")

    served(folder, ask)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def _told(stream: aiohttp.ClientResponse, words: str) -> bool:
    async for line in stream.content:
        if words in line.decode():
            return True
    return False


async def _first_event(stream: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    async for line in stream.content:
        if line.startswith(b"data: "):
            yield line
            return


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("", None, 200),
        ("report/blendedfinetune/ads-first", None, 200),
        ("report/blendedfinetune/ads", None, 404),
        ("report/blendedfinetune/..%2Fads", None, 404),
        ("", "evil.example.com", 403),
        ("report/blendedfinetune/ads-first", "evil.example.com:80", 403),
    ],
)
def test_only_this_machines_browser_gets_an_answer(
    folder: Path, path: str, host: str | None, status: int
) -> None:
    async def ask(session: aiohttp.ClientSession, address: str, _: asyncio.Event) -> int:
        async with session.get(address + path, headers={"Host": host} if host else {}) as answer:
            return answer.status

    assert served(folder, ask) == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(folder: Path, method: str) -> None:
    async def ask(session: aiohttp.ClientSession, address: str, _: asyncio.Event) -> int:
        async with session.request(method, address) as answer:
            return answer.status

    assert served(folder, ask) == 405


def test_a_port_that_is_taken_is_told() -> None:
    async def start(port: int) -> None:
        async with serving(Page("here"), _none, port):
            raise AssertionError("it serves")

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ClientError, match=f"port {port} is taken"):
            asyncio.run(start(port))


async def _none(_: str, __: str) -> None:
    return None
