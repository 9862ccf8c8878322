"""Rows from the hub and from S3: the split that is asked for, and what each fault is called."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import hub_server as hub_api
from tests import s3_server as s3_api
from tests.hub_server import HubServer, Repository
from tests.s3_server import S3Server

from blendtune_runtime.errors import BadConfiguration, BadData, StageError, Transient
from blendtune_runtime.uris import data_location
from blendtune_trainer.rows.collect import Row, RowSource, collect
from blendtune_trainer.rows.faults import SourceFaults
from blendtune_trainer.rows.notes import Notes

SOURCE = "spec.blend.sources[0]"
FIELD = f"{SOURCE}.uri"


def row(text: str) -> dict[str, Any]:
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]
    return {"messages": turns}


def jsonl(*texts: str) -> bytes:
    return "".join(json.dumps(row(text)) + "\n" for text in texts).encode()


def parquet(*texts: str) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row(text) for text in texts]), buffer)
    return buffer.getvalue()


def answer(row: Row) -> str:
    return str(row.conversation.messages[-1].content)


def read(uri: str, split: str | None = None, config: str | None = None) -> list[str]:
    """The answers of all rows. Raises BadData if any row or file is at fault."""
    faults = SourceFaults()
    location = data_location(uri, Path("/claims"), FIELD, split=split, config=config)
    answers = [answer(each) for each in collect(RowSource(location=location, field=SOURCE), faults)]
    faults.faults.check()
    return answers


PLAIN = {"train.jsonl": jsonl("a", "b"), "test.jsonl": jsonl("t"), "README.md": b"# Rows"}
CARD = b"""---
configs:
- config_name: en
  data_files: [{split: train, path: en/train-*.parquet}, {split: test_sft, path: en/test.parquet}]
- config_name: de
  data_files: [{split: train, path: de/*.parquet}]
---
"""
LANGUAGES = {
    "README.md": CARD,
    "en/train-0.parquet": parquet("one", "two"),
    "en/train-1.parquet": parquet("three"),
    "en/test.parquet": parquet("test"),
    "de/train.parquet": parquet("eins"),
}
ONLY_TEST = {"data/test-0.parquet": parquet("t"), "data/validation-0.parquet": parquet("v")}


@pytest.fixture
def data(hub: HubServer) -> HubServer:
    for name, commits in {
        "org/plain": [PLAIN, {**PLAIN, "train.jsonl": jsonl("newer")}],
        "org/languages": [LANGUAGES],
        "org/default": [{**LANGUAGES, "README.md": CARD.replace(b"name: de", b"name: de\n  default: true")}],
        "org/tests": [ONLY_TEST],
        "org/code": [{"load.py": b"", "README.md": b""}],
    }.items():
        hub.add(Repository(name, commits, type="datasets"))
    return hub


@pytest.mark.parametrize(
    ("name", "options", "answers"),
    [
        pytest.param("org/plain@v1", {}, ["a", "b"], id="train"),
        pytest.param("org/plain", {}, ["newer"], id="the newest"),
        pytest.param("org/plain@v1", {"split": "test"}, ["t"], id="split"),
        pytest.param("org/plain@v1/train.jsonl", {}, ["a", "b"], id="a file"),
        pytest.param("org/plain@v1/t*.jsonl", {}, ["t", "a", "b"], id="a pattern"),
        pytest.param("org/languages", {"config": "en"}, ["one", "two", "three"], id="config"),
        pytest.param("org/languages", {"config": "en", "split": "test_sft"}, ["test"], id="both"),
        pytest.param("org/languages/en/train-*.parquet", {}, ["one", "two", "three"], id="shards"),
        pytest.param("org/default", {}, ["eins"], id="default config"),
        pytest.param("org/default", {"config": "en"}, ["one", "two", "three"], id="another than the default"),
        pytest.param("org/tests", {"split": "validation"}, ["v"], id="no train, another split"),
    ],
)
@pytest.mark.usefixtures("data")
def test_what_is_read_from_the_hub(name: str, options: dict[str, str], answers: list[str]) -> None:
    assert read(f"hf://datasets/{name}", **options) == answers


def test_a_local_folder_of_the_same_name_is_not_read(
    data: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("org/plain", "datasets/org/plain"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "train.jsonl").write_bytes(jsonl("local"))
    monkeypatch.chdir(tmp_path)
    assert read("hf://datasets/org/plain") == ["newer"]
    assert data.requests


@pytest.mark.parametrize(
    ("name", "options", "kind", "words"),
    [
        pytest.param("org/tests", {}, BadData, "no split 'train'.*test, validation", id="no train"),
        pytest.param("org/plain", {"split": "trian"}, BadData, "no split 'trian'.*test, train", id="split"),
        pytest.param("org/languages", {}, BadData, "several configurations.*de, en", id="no config"),
        pytest.param("org/languages", {"config": "fr"}, BadData, "'fr'.*de, en", id="config"),
        pytest.param("org/plain", {"config": "fr"}, BadData, "'fr'.*default", id="config of one"),
        pytest.param("org/languages/de", {}, BadData, "de is a folder.*de/train.parquet", id="folder"),
        pytest.param("org/languages/en/", {}, BadData, "is a folder.*en/test.parquet, en/train", id="slash"),
        pytest.param("org/plain/trian.jsonl", {}, BadData, "trian.jsonl.*README.md, test.jsonl", id="file"),
        pytest.param("org/plain/x-*.jsonl", {}, BadData, r"x-\*.jsonl.*README.md, test", id="pattern"),
        pytest.param(
            "org/plain/train.jsonl", {"split": "test"}, BadData, "split and config are of a whole", id="both"
        ),
        pytest.param("org/code", {}, BadData, "holds README.md, load.py", id="no rows"),
        pytest.param("org/none", {}, BadData, "private.*HF_TOKEN.*secretRef", id="no repository"),
        pytest.param("org/plain@v9", {}, BadData, "no such revision", id="revision"),
        pytest.param("org/plain@v9/train.jsonl", {}, BadData, "no such revision", id="revision of a file"),
        pytest.param("org/gated", {}, BadConfiguration, "gated.*HF_TOKEN", id="gated"),
    ],
)
def test_what_the_hub_does_not_have(
    data: HubServer, name: str, options: dict[str, str], kind: type[StageError], words: str
) -> None:
    data.add(Repository("org/gated", [PLAIN], type="datasets", token="good", gated=True))
    with pytest.raises(StageError, match=f"(?s){words}") as raised:
        read(f"hf://datasets/{name}", **options)
    assert raised.type is kind
    assert raised.value.message.startswith(f"{FIELD}: hf://datasets/{name.split('/t')[0].split('/x')[0][:8]}")


ALPACA = b"instruction,input,output\nThe country?,NA,Namibia\nNothing?,,None\n6*7?,,042\nIs it?,,True\n"
DATES = b'{"question": "When?", "answer": "2023-01-05"}\n{"question": "And?", "answer": "2024-02-06"}\n'
SEPARATED = b"---\nconfigs: [{config_name: default, data_files: train.csv, sep: ';'}]\n---\n"
NAMED = b"""---
configs: [{config_name: default, data_files: train.csv, names: [question, answer], header: null}]
---
"""


@pytest.mark.parametrize(
    ("files", "path", "answers"),
    [
        pytest.param(
            {"train.csv": ALPACA},
            "",
            ["The country?\n\nNA|Namibia", "Nothing?|None", "6*7?|042", "Is it?|True"],
            id="CSV",
        ),
        pytest.param({"train.csv": b"question;answer\nQ?;A\n"}, "", ["Q?|A"], id="CSV with semicolons"),
        pytest.param(
            {"train.csv": b"question;answer\nQ?;7\n", "README.md": SEPARATED},
            "",
            ["Q?|7"],
            id="CSV with the separator in the card",
        ),
        pytest.param(
            {"train.csv": b"Nothing?,None\nNot?,NaN\n", "README.md": NAMED},
            "",
            ["Nothing?|None", "Not?|NaN"],
            id="CSV with the columns in the card",
        ),
        pytest.param({"train.jsonl": DATES}, "", ["When?|2023-01-05", "And?|2024-02-06"], id="dates"),
        pytest.param({"train.jsonl.gz": gzip.compress(jsonl("a"))}, "", ["?|a"], id="gzip"),
        pytest.param({"train.json": b'{"data": [' + jsonl("a") + b"]}"}, "", ["?|a"], id="wrapped"),
        pytest.param({"a[1].jsonl": jsonl("a")}, "/a[1].jsonl", ["?|a"], id="brackets in a name"),
        pytest.param({"a[1].parquet": parquet("a")}, "/a[1].parquet", ["?|a"], id="brackets, Parquet"),
        pytest.param({"a b%20c#.jsonl": jsonl("a")}, "/a b%20c#.jsonl", ["?|a"], id="a name to quote"),
    ],
)
def test_text_on_the_hub_is_read_as_it_stands(
    hub: HubServer, files: dict[str, bytes], path: str, answers: list[str]
) -> None:
    hub.add(Repository("org/text", [files], type="datasets"))
    location = data_location(f"hf://datasets/org/text{path}", Path("/claims"), FIELD)
    faults = SourceFaults()
    rows = list(collect(RowSource(location=location, field=SOURCE), faults))
    assert ["|".join(each.content for each in row.conversation.messages) for row in rows] == answers
    assert not faults.faults.count


@pytest.mark.parametrize(
    ("files", "words", "rows"),
    [
        pytest.param(
            {"train.jsonl": jsonl("a") + b"{oops\n" + jsonl("b")},
            r"^org/bad/train.jsonl:2: not valid JSON",
            2,
            id="a line",
        ),
        pytest.param(
            {"train.csv": b"question,answer\n\xff,a\n"}, "org/bad/train.csv:.*UTF-8", 0, id="encoding"
        ),
        pytest.param(
            {"train.jsonl": jsonl("a"), "README.md": b"---\nconfigs: [\n---\n"},
            "spec.*org/bad: cannot be read as rows: while parsing",
            0,
            id="card",
        ),
        pytest.param(
            {"train.parquet": b""}, "spec.*org/bad: cannot be read as rows: .", 0, id="an empty Parquet file"
        ),
        pytest.param({"train.zip": b"PK\x03\x04"}, "spec.*org/bad: cannot be read as rows: .", 0, id="ZIP"),
    ],
)
def test_what_on_the_hub_is_not_rows(hub: HubServer, files: dict[str, bytes], words: str, rows: int) -> None:
    hub.add(Repository("org/bad", [files], type="datasets"))
    location = data_location("hf://datasets/org/bad", Path("/claims"), FIELD)
    faults = SourceFaults()
    assert len(list(collect(RowSource(location=location, field=SOURCE), faults))) == rows
    with pytest.raises(BadData, match=words):
        faults.faults.check()


def test_an_empty_file_on_the_hub_has_no_rows(hub: HubServer) -> None:
    hub.add(Repository("org/empty", [{"train.jsonl": b""}], type="datasets"))
    assert read("hf://datasets/org/empty") == []


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(hub_api.Fault("cdn.*train-0", breaks_after=50), id="a shard breaks"),
        pytest.param(hub_api.Fault("/api/datasets", status=502), id="502"),
        pytest.param(hub_api.Fault("README.md", status=503, method="HEAD", times=3), id="card, 503"),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_what_passes_by_itself_is_tried_again(data: HubServer, fault: hub_api.Fault) -> None:
    data.faults.append(fault)
    assert read("hf://datasets/org/languages", config="en") == ["one", "two", "three"]
    assert fault.times == 0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(hub_api.Fault("resolve.*train.jsonl", breaks_after=50), id="breaks"),
        pytest.param(hub_api.Fault("resolve.*train.jsonl", status=503, times=2), id="503"),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_a_text_file_that_breaks_off_is_read_on(data: HubServer, fault: hub_api.Fault) -> None:
    data.faults.append(fault)
    assert read("hf://datasets/org/plain@v1") == ["a", "b"]
    assert fault.times == 0


@pytest.mark.usefixtures("pauses")
def test_a_text_file_that_does_not_come_is_left_to_another_attempt(data: HubServer) -> None:
    data.faults.append(hub_api.Fault("resolve.*train.jsonl", status=503, times=99))
    with pytest.raises(Transient, match=r"spec\.blend.*: hf://datasets/org/plain: it does not answer"):
        read("hf://datasets/org/plain/train.jsonl")


@pytest.mark.usefixtures("pauses")
def test_a_hub_that_does_not_answer_is_left_to_another_attempt(data: HubServer) -> None:
    data.faults.append(hub_api.Fault("/api/datasets", status=503, times=99))
    with pytest.raises(Transient, match=r"spec\.blend.*: hf://datasets/org/plain: it does not answer"):
        read("hf://datasets/org/plain")


def test_many_objects_are_read_in_their_order(s3: S3Server) -> None:
    s3.put("rows", {f"many/{number:04}.jsonl": jsonl(str(number)) for number in range(3000)})
    s3.put("rows", {"many/.hidden.jsonl": b"", "many-more/a.jsonl": b""})
    location = data_location("s3://rows/many", Path("/claims"), FIELD)
    rows = collect(RowSource(location=location, field=SOURCE), SourceFaults())
    first = [answer(each) for each in islice(rows, 3)]
    assert first == ["0", "1", "2"]
    assert sum("list-type" in request for request in s3.requests) > 3


ROWS = {"ads/a.jsonl": jsonl("a", "b"), "ads/b.json": b"[" + jsonl("c") + b"]", "ads/c.parquet": parquet("d")}


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param([], id="none"),
        pytest.param([s3_api.Fault("list-type", 503, "SlowDown", times=6)], id="list"),
        pytest.param([s3_api.Fault("ads/a.jsonl", 503, "SlowDown", times=6)], id="SlowDown"),
        pytest.param([s3_api.Fault("ads/a.jsonl", 503, "ServiceUnavailable", times=2)], id="503"),
        pytest.param([s3_api.Fault("ads/a.jsonl", breaks_after=20, times=6)], id="breaks"),
        pytest.param([s3_api.Fault("ads/a.jsonl", 503, "SlowDown", method="HEAD", times=2)], id="head"),
    ],
)
@pytest.mark.usefixtures("pauses")
def test_rows_of_s3(s3: S3Server, faults: list[s3_api.Fault]) -> None:
    s3.put("rows", ROWS)
    s3.faults[:] = faults
    assert read("s3://rows/ads/") == ["a", "b", "c", "d"]
    assert read("s3://rows/ads/a.jsonl") == ["a", "b"]


def test_the_markers_of_folders_on_s3_are_not_told(s3: S3Server) -> None:
    s3.put("rows", {"ads/": b"", "ads/more/": b"", "ads/more/a.jsonl": jsonl("a")})
    location, notes = data_location("s3://rows/ads", Path("/claims"), FIELD), Notes()
    rows = collect(RowSource(location=location, field=SOURCE), SourceFaults(), notes)
    assert [answer(each) for each in rows] == ["a"]
    assert not list(notes.warnings())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"garbage" * 9, id="zstandard"),
        pytest.param("a.jsonl.bz2", b"BZh9" + b"garbage" * 9, id="bzip2"),
        pytest.param("a.jsonl.gz", gzip.compress(jsonl("a"))[:-9], id="gzip"),
        pytest.param("a.parquet", b"PAR1garbagePAR1", id="Parquet"),
        pytest.param("a.arrow", b"\xff\xff\xff\xff\x10\0\0\0" + b"garbage" * 3, id="Arrow"),
    ],
)
def test_a_damaged_file_on_s3_is_named(s3: S3Server, name: str, content: bytes) -> None:
    s3.put("rows", {f"ads/{name}": content, "ads/b.jsonl": jsonl("b")})
    faults = SourceFaults()
    location = data_location("s3://rows/ads", Path("/claims"), FIELD)
    assert len(list(collect(RowSource(location=location, field=SOURCE), faults))) == 1
    with pytest.raises(BadData, match=rf"^{name}: (damaged|its compression|not a readable)"):
        faults.faults.check()


@pytest.mark.parametrize(
    ("uri", "faults", "environment", "kind", "words"),
    [
        pytest.param("s3://rows/none", {}, {}, BadData, "no such file or folder: s3://rows/none", id="none"),
        pytest.param("s3://none/ads", {}, {}, BadData, "no such file or folder", id="no bucket"),
        pytest.param("s3://rows/ads", {}, {"AWS_ACCESS_KEY_ID": "x"}, BadConfiguration, "Secret", id="keys"),
        pytest.param(
            "s3://rows/ads", {"path": "list", "status": 403, "code": "AccessDenied"}, {}, BadConfiguration,
            "what these keys may do", id="may not list",
        ),
        pytest.param(
            "s3://rows/ads", {"path": "list", "status": 503, "code": "SlowDown"}, {}, Transient, "SlowDown",
            id="lists with 503",
        ),
        pytest.param(
            "s3://rows/ads", {}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, Transient, ":9", id="gone"
        ),
        pytest.param(
            "s3://rows/ads", {"path": "a.jsonl", "status": 503, "code": "ServiceUnavailable"}, {}, Transient,
            "does not answer", id="dies while it is read",
        ),
        pytest.param("s3://rows/ads", {"path": "a.js", "breaks_after": 5}, {}, Transient, "s3", id="cut"),
        pytest.param(
            "s3://rows/ads/c.parquet", {"path": "c.parquet", "status": 500, "code": "InternalError"}, {},
            Transient, "does not answer", id="dies within Parquet",
        ),
        pytest.param(
            "s3://rows/ads", {"path": "a.jsonl", "status": 403, "code": "AccessDenied"}, {}, BadConfiguration,
            "secretRef", id="may not read",
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("pauses")
def test_what_s3_refuses(
    s3: S3Server,
    change_environment: Callable[[Mapping[str, str | None]], None],
    uri: str,
    faults: dict[str, Any],
    environment: dict[str, str],
    kind: type[StageError],
    words: str,
) -> None:
    s3.put("rows", ROWS)
    s3.faults[:] = [s3_api.Fault(**faults, times=999)] if faults else []
    change_environment(environment)
    with pytest.raises(StageError, match=words) as raised:
        read(uri)
    assert raised.type is kind
    assert raised.value.message.startswith(f"{FIELD}: ")
