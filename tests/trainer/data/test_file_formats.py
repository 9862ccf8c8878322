"""Files as people have them: each is read as what it is, or refused by name with what to do."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest
from tests.trainer.data.reading import Read, read

from blendtune_api.v1alpha1 import Columns
from blendtune_runtime.chat.conversation import ChatRole, of_texts
from blendtune_trainer.rows.splits import Split

ROWS = [
    {"messages": [{"role": "user", "content": f"Q{n}?"}, {"role": "assistant", "content": f"Ä{n}.\u2028x"}]}
    for n in range(3)
]
CONVERSATIONS = [
    of_texts([(ChatRole.USER, f"Q{n}?"), (ChatRole.ASSISTANT, f"Ä{n}.\u2028x")]) for n in range(3)
]
GOOD_ROW = b'{"instruction": "Hi?", "output": "Yes."}'
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def zstandard(content: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def as_json(value: Any, **how: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, **how).encode()


def read_content(tmp_path: Path, name: str, content: bytes) -> Read:
    (tmp_path / name).write_bytes(content)
    return read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.jsonl", LINES, id="JSON lines"),
        pytest.param("a.JSONL", LINES, id="upper case"),
        pytest.param("a.ndjson", LINES, id="ndjson"),
        pytest.param("a.jsonl", LINES.rstrip(), id="no last line feed"),
        pytest.param("a.jsonl", b"\n\n" + LINES.replace(b"\n", b"\n \n"), id="blank lines"),
        pytest.param("a.jsonl", b"\xef\xbb\xbf" + LINES, id="byte order mark"),
        pytest.param("a.jsonl", LINES.replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param("a.jsonl", LINES.replace(b"\n", b"\r"), id="CR alone"),
        pytest.param("a.jsonl", LINES.replace(b"\n", b"\r").rstrip(), id="CR alone, none at the end"),
        pytest.param("a.jsonl", as_json(ROWS), id="a list that is called JSON lines"),
        pytest.param(
            "a.jsonl", b"\n".join(as_json(row, indent=2) for row in ROWS), id="rows over several lines"
        ),
        pytest.param("a.jsonl.gz", gzip.compress(LINES), id="gzip"),
        pytest.param(
            "a.jsonl.gz", gzip.compress(LINES[:40]) + gzip.compress(LINES[40:]), id="gzip in two members"
        ),
        pytest.param("a.jsonl.zst", zstandard(LINES), id="zstandard"),
        pytest.param(
            "a.jsonl.zst", zstandard(LINES[:40]) + zstandard(LINES[40:]), id="zstandard in two frames"
        ),
        pytest.param("a.ndjson.bz2", bz2.compress(LINES), id="bzip2"),
        pytest.param("a.jsonl.XZ", lzma.compress(LINES), id="xz"),
        pytest.param("a.json.gz", gzip.compress(as_json(ROWS)), id="a compressed list"),
        pytest.param("a.json", as_json(ROWS), id="a list"),
        pytest.param("a.json", b"\xef\xbb\xbf \n" + as_json(ROWS, indent=4) + b"\n", id="a pretty list"),
        pytest.param("a.json", LINES, id="JSON lines that are called JSON"),
        pytest.param("a.json", b"".join(as_json(row, indent=1) for row in ROWS), id="objects in a row"),
        pytest.param("a.json", as_json({"data": ROWS}), id="a list in an object"),
        pytest.param("a.json", as_json({"version": 1, "rows": ROWS}), id="a list beside other things"),
        pytest.param("a.json", as_json({"train": ROWS, "test": ROWS[:1]}), id="splits in an object"),
        pytest.param("a.jsonl", LINES.replace(b"}\n", b', "score": NaN}\n'), id="NaN"),
    ],
)
def test_json(tmp_path: Path, name: str, content: bytes) -> None:
    found = read_content(tmp_path, name, content)
    assert [row.conversation for row in found.rows] == CONVERSATIONS
    assert not found.faults.faults.count


TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
TURN = [{"role": "user", "content": "Hi?"}]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(ROWS[0], id="messages"),
        pytest.param({**ROWS[0], "tools": TOOLS}, id="messages and tools"),
        pytest.param({**ROWS[0], "history": []}, id="messages and a list"),
        pytest.param({**ROWS[0], "sources": [{"url": "x"}, {"url": "y"}]}, id="messages and objects"),
        pytest.param({"prompt": "Hi?", "response": "Yes.", "tools": TOOLS}, id="a pair and tools"),
        pytest.param(
            {"prompt": TURN, "completion": [{"role": "assistant", "content": "Yes."}], "tools": TOOLS},
            id="a pair of messages and tools",
        ),
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_one_object_is_one_row(tmp_path: Path, name: str, row: dict[str, Any]) -> None:
    found = read_content(tmp_path, name, as_json(row, indent=1))
    assert (found.places, found.faults.faults.count) == ([f"{name}:1"], 0)


def test_one_object_with_columns_of_the_spec_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(as_json({"turns": ROWS[0]["messages"], "tools": TOOLS}))
    found = read(tmp_path / "a.json", columns=Columns(messages="turns"))
    assert (found.places, found.faults.faults.count) == (["a.json:1"], 0)


@pytest.mark.parametrize(
    ("document", "purpose", "warnings"),
    [
        pytest.param(
            {"test": ROWS},
            Split.TRAIN,
            ["trained on, though named as a test or validation split: a.json test (1 times)"],
            id="test alone",
        ),
        pytest.param(
            {"train": [], "val": ROWS},
            Split.TRAIN,
            ["trained on, though named as a test or validation split: a.json val (1 times)"],
            id="no row to train on",
        ),
        pytest.param(
            {"train": ROWS, "test": ROWS}, Split.TRAIN, ["not read: a.json test (another split)"], id="both"
        ),
        pytest.param({"test": ROWS}, Split.VALIDATION, [], id="test, to validate"),
        pytest.param({"data": ROWS}, Split.TRAIN, [], id="another name"),
    ],
)
def test_lists_named_as_splits(
    tmp_path: Path, document: dict[str, Any], purpose: Split, warnings: list[str]
) -> None:
    (tmp_path / "a.json").write_bytes(as_json(document))
    found = read(tmp_path / "a.json", purpose)
    assert (len(found.rows), list(found.notes.warnings())) == (3, warnings)


def test_a_list_longer_than_a_block_is_read_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blendtune_trainer.rows.json_rows._BLOCK_BYTES", 7)
    found = read_content(tmp_path, "a.json", as_json(ROWS * 5, indent=1))
    assert [row.conversation for row in found.rows] == CONVERSATIONS * 5
    broken = read_content(tmp_path, "b.json", as_json(ROWS, indent=1)[:-1])
    assert len(broken.rows) == 3
    assert "the list is not closed" in broken.message


CSV = [
    pytest.param("a.csv", "instruction,output\nHi?,Yes.\n", [("Hi?", "Yes.")], ["a.csv:2"], id="comma"),
    pytest.param("a.CSV", "Question;Answer\r\nHi?;Yes.\r\n", [("Hi?", "Yes.")], ["a.CSV:2"], id="semicolon"),
    pytest.param(
        "a.tsv", "prompt\tcompletion\nHi?\tYes, no.\n", [("Hi?", "Yes, no.")], ["a.tsv:2"], id="tab"
    ),
    pytest.param(
        "a.csv",
        '\ufeffid,prompt,response\n1,"Hi?\n""You""?",Yes.\n\n2,"And, so?",No.\n',
        [('Hi?\n"You"?', "Yes."), ("And, so?", "No.")],
        ["a.csv:2", "a.csv:5"],
        id="quotes and line breaks",
    ),
    pytest.param(
        "a.csv",
        "\ufeffsep=|\r\nprompt|response\r\nHi?|Yes.\r\n",
        [("Hi?", "Yes.")],
        ["a.csv:3"],
        id="the separator said, as by Excel",
    ),
    pytest.param(
        "a.csv", '"sep=;"\nprompt;response\nHi?;a,b,c\n', [("Hi?", "a,b,c")], ["a.csv:3"], id="said in quotes"
    ),
    pytest.param(
        "a.csv",
        f"instruction,input,output\nHi?,,{'long ' * 50_000}\n",
        [("Hi?", "long " * 50_000)],
        ["a.csv:2"],
        id="a long cell",
    ),
]


@pytest.mark.parametrize(("name", "content", "pairs", "places"), CSV)
def test_csv(
    tmp_path: Path, name: str, content: str, pairs: list[tuple[str, str]], places: list[str]
) -> None:
    found = read_content(tmp_path, name, content.encode())
    told = [tuple(message.content for message in row.conversation.messages) for row in found.rows]
    assert (told, found.places) == (pairs, places)
    assert not found.faults.faults.count


def test_messages_in_a_cell_are_json(tmp_path: Path) -> None:
    cell = json.dumps(ROWS[0]["messages"]).replace('"', '""')
    found = read_content(tmp_path, "a.csv", f'id,messages\n1,"{cell}"\n'.encode())
    assert [row.conversation for row in found.rows] == CONVERSATIONS[:1]


def nested(large: bool) -> pyarrow.DataType:
    string, of = (pyarrow.large_string(), pyarrow.large_list) if large else (pyarrow.string(), pyarrow.list_)
    call = pyarrow.struct(
        [("id", string), ("function", pyarrow.struct([("name", string), ("arguments", string)]))]
    )
    return of(
        pyarrow.struct([("role", string), ("content", string), ("name", string), ("tool_calls", of(call))])
    )


@pytest.mark.parametrize("large", [False, True], ids=["list", "large_list"])
def test_nested_parquet_with_null_fields(tmp_path: Path, large: bool) -> None:
    call = {"id": "1", "function": {"name": "w", "arguments": None}}
    called = [*ROWS[0]["messages"][:1], {"role": "assistant", "content": None, "tool_calls": [call]}]
    columns = {
        "messages": pyarrow.array([ROWS[0]["messages"], called], nested(large)),
        "instruction": pyarrow.nulls(2),
        "output": pyarrow.nulls(2),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet")
    assert found.rows[0].conversation == CONVERSATIONS[0]
    assert found.rows[1].conversation.messages[1].tool_calls == (
        {"type": "function", "id": "1", "function": {"name": "w", "arguments": {}}},
    )
    assert not list(found.notes.warnings())


def test_parquet_of_texts(tmp_path: Path) -> None:
    columns = {
        "instruction": pyarrow.array(["Hi?"]).dictionary_encode(),
        "input": pyarrow.nulls(1),
        "output": pyarrow.array(["Yes."], pyarrow.large_string()),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").answers == ["Yes."]


def test_what_datasets_saves(tmp_path: Path) -> None:
    table = datasets.Dataset.from_list(ROWS)
    table.save_to_disk(str(tmp_path / "one"))
    (tmp_path / "one" / "cache-1234.arrow").write_bytes(b"a cache of another step")
    found = read(tmp_path / "one")
    assert [row.conversation for row in found.rows] == CONVERSATIONS
    assert found.places[0] == "data-00000-of-00001.arrow row 1"
    assert list(found.notes.warnings()) == ["not read: cache-1234.arrow (a cache of datasets)"]
    splits = datasets.DatasetDict({"train": table, "test": table})
    splits.save_to_disk(str(tmp_path / "splits"))
    assert read(tmp_path / "splits").places == [
        f"train/data-00000-of-00001.arrow row {number}" for number in (1, 2, 3)
    ]
    with pyarrow.ipc.new_file(str(tmp_path / "b.arrow"), table.data.schema) as file:
        file.write_table(table.data.table)
    assert [row.conversation for row in read(tmp_path / "b.arrow").rows] == CONVERSATIONS


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        pytest.param(
            "a.jsonl",
            LINES.decode().encode("utf-16"),
            "a.jsonl: is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8 a.jsonl",
            id="UTF-16",
        ),
        pytest.param(
            "a.jsonl", LINES.decode().encode("utf-16-le"), "a.jsonl: is UTF-16", id="UTF-16 without a mark"
        ),
        pytest.param("a.json", LINES.decode().encode("utf-32"), "a.json: is UTF-32", id="UTF-32"),
        pytest.param(
            "a.csv", "instruction,output\nä,b".encode("utf-16"), "a.csv: is UTF-16", id="CSV in UTF-16"
        ),
        pytest.param(
            "a.csv",
            b"instruction,output\n\xe4,b\n",
            "not valid UTF-8 here, or a little below; convert it: iconv",
            id="CSV in Latin-1",
        ),
        pytest.param(
            "a.jsonl",
            LINES.decode().replace("\u2028", "").encode("latin-1"),
            "a.jsonl:1: not valid UTF-8 at byte",
            id="Latin-1",
        ),
        pytest.param(
            "a.jsonl",
            '{"instruction": "你好", "output": "世界"}\n'.encode("gbk") * 5,
            "iconv -f ENCODING -t UTF-8 a.jsonl > utf8-a.jsonl, with the encoding in which it was saved",
            id="GBK",
        ),
        pytest.param(
            "a.jsonl",
            GOOD_ROW + b'\n{"instruction": "Hi?", "output": "a", "output": "b"}',
            "a.jsonl:2: an object has the key 'output' twice",
            id="a key twice in a line",
        ),
        pytest.param(
            "a.json",
            b'[{"messages": [{"role": "user", "role": "system"}],\n"b": 1},\n{"c": 1, "c": 2}]',
            "a.json:3: an object has the key 'c' twice",
            id="a key twice in a list",
        ),
        pytest.param(
            "a.json",
            b'{"data": [{"a": 1, "a": 2}]}',
            "a.json:1: an object has the key 'a' twice",
            id="a key twice in a document",
        ),
        pytest.param(
            "a.jsonl",
            b"".join(as_json(row["messages"]) + b"\n" for row in ROWS),
            "a.jsonl:3: a row must be an object, this is a list",
            id="lines that are lists",
        ),
        pytest.param(
            "a.json",
            b"".join(as_json(row["messages"]) + b"\n" for row in ROWS),
            "a.json:3: a row must be an object, this is a list",
            id="lines that are lists, called JSON",
        ),
        pytest.param("a.json", b'[{"a": "\xe4"}]', "a.json:1: not valid UTF-8", id="a list in Latin-1"),
        pytest.param(
            "a.json", b"[1,\n 2", "a.json:2: not valid JSON: the list is not closed", id="a cut list"
        ),
        pytest.param("a.json", as_json(ROWS, indent=1)[:90], "not valid JSON: Expecting", id="a cut row"),
        pytest.param(
            "a.json", b'[{"a": 1} {"a": 2}]', "a.json:1: not valid JSON: Expecting ','", id="no comma"
        ),
        pytest.param("a.json", b'[{"a": 1}] x', "not valid JSON: Extra data", id="more after the list"),
        pytest.param("a.json", b"3", "a.json:1: must be a JSON list of rows", id="a number"),
        pytest.param("a.json", b'{"a": 1}', "a.json:1: a row needs messages", id="an object that is no row"),
        pytest.param(
            "a.json",
            as_json({"prompt": ["a"], "response": ["b"]}),
            "a.json:1: is a table by columns; write it by rows",
            id="columns as lists",
        ),
        pytest.param(
            "a.json",
            as_json({"prompt": {"0": "a"}, "response": {"0": "b"}}),
            "by columns",
            id="pandas' columns",
        ),
        pytest.param(
            "a.json", as_json({"ads": ROWS, "more": ROWS}), "lists of rows under ads, more", id="two lists"
        ),
        pytest.param(
            "a.json", b"[" * 100_000, "a.json:1: not valid JSON: nested too deeply", id="deep nesting"
        ),
        pytest.param(
            "a.jsonl",
            b'{"a":' + b"[" * 100_000,
            "a.jsonl:1: not valid JSON: nested too deeply",
            id="deep line",
        ),
        pytest.param("a.jsonl.gz", LINES, "a.jsonl.gz: its compression is damaged", id="not gzip"),
        pytest.param(
            "a.jsonl.gz", gzip.compress(LINES)[:-9], "a.jsonl.gz: its compression is damaged", id="cut gzip"
        ),
        pytest.param(
            "a.jsonl.zst", LINES, "a.jsonl.zst: damaged, or not what its name says", id="not zstandard"
        ),
        pytest.param("a.jsonl.bz2", LINES, "a.jsonl.bz2: damaged, or not what its name says", id="not bzip2"),
        pytest.param(
            "a.jsonl.xz", lzma.compress(LINES)[:-20], "a.jsonl.xz: its compression is damaged", id="cut xz"
        ),
        pytest.param(
            "a.csv",
            b'instruction,output\n"Hi?,Yes.\nb,c\n',
            "a.csv:2: a quote that opens here",
            id="open quote",
        ),
        pytest.param(
            "a.csv",
            b"output,output\na,b\n",
            "a.csv:1: the header has 'output' twice",
            id="twice in the header",
        ),
        pytest.param(
            "a.csv",
            b"instruction,output\na\n",
            "a.csv:2: 1 fields, where the header has 2",
            id="a short record",
        ),
        pytest.param("a.jsonl", gzip.compress(LINES), "a.jsonl: is gzip, not text", id="gzip in disguise"),
        pytest.param("a.csv", b"PK\x03\x04xl", "is a ZIP archive or a spreadsheet", id="a spreadsheet"),
        pytest.param("a.txt", b"x", "a.txt: cannot be read; use .jsonl, .ndjson", id="another suffix"),
        pytest.param("a", b"x", "a: cannot be read; use .jsonl", id="no suffix"),
        pytest.param("a.parquet", b"x", "a.parquet: not a readable Parquet file", id="no Parquet"),
        pytest.param("a.parquet", b"", "a.parquet: not a readable Parquet file", id="empty Parquet"),
        pytest.param("a.arrow", b"x", "a.arrow: not a readable Arrow file", id="no Arrow"),
    ],
)
def test_a_file_that_is_not_what_it_says(tmp_path: Path, name: str, content: bytes, fault: str) -> None:
    found = read_content(tmp_path, name, content)
    assert fault in found.message


LONG_ROW = b'{"id": ' + b"9" * 5000 + b', "instruction": "Hi?", "output": "Yes."}'


@pytest.mark.parametrize(
    ("name", "content", "places"),
    [
        pytest.param("a.jsonl", GOOD_ROW + b"\n" + LONG_ROW + b"\n" + GOOD_ROW, ["a.jsonl:2"], id="a line"),
        pytest.param(
            "a.json",
            b"[" + LONG_ROW + b",\n" + GOOD_ROW + b",\n" + GOOD_ROW + b"]",
            ["a.json:1"],
            id="a list",
        ),
        pytest.param(
            "a.json", GOOD_ROW + b"\n" + LONG_ROW + b"\n" + GOOD_ROW, ["a.json:2"], id="objects in a row"
        ),
    ],
)
@pytest.mark.parametrize("block", [7, 1 << 20], ids=["in pieces", "at once"])
def test_a_number_too_long_to_hold_is_a_bad_row(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    block: int,
    name: str,
    content: bytes,
    places: list[str],
) -> None:
    monkeypatch.setattr("blendtune_trainer.rows.json_rows._BLOCK_BYTES", block)
    found = read_content(tmp_path, name, content)
    assert (found.answers, found.faults.bad_rows) == (["Yes.", "Yes."], 1)
    assert found.message.startswith(f"{places[0]}: an integer of more than 4,300 digits")


def test_a_number_too_long_to_hold_in_a_document_refuses_the_file(tmp_path: Path) -> None:
    found = read_content(tmp_path, "a.json", b'{"data": [' + LONG_ROW + b"]}")
    assert found.faults.bad_rows == 0
    assert "a.json:1: an integer of more than" in found.message


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(pyarrow.array([2**62], pyarrow.timestamp("us")), id="a time"),
        pytest.param(pyarrow.array([2**30], pyarrow.date32()), id="a date"),
        pytest.param(pyarrow.array([2**60], pyarrow.duration("s")), id="a duration"),
        pytest.param(pyarrow.array([1], pyarrow.timestamp("us", "Mars/Base")), id="an unknown zone"),
        pytest.param(pyarrow.array([2**62], pyarrow.timestamp("us")).dictionary_encode(), id="a dictionary"),
        pytest.param(
            pyarrow.array(
                [[{"at": 2**62}]], pyarrow.list_(pyarrow.struct([("at", pyarrow.timestamp("us"))]))
            ),
            id="within objects",
        ),
    ],
)
def test_times_that_python_cannot_hold(tmp_path: Path, times: pyarrow.Array) -> None:
    columns = {"instruction": ["Hi?"], "output": ["Yes."], "expires": times}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet")
    assert (found.answers, found.faults.faults.count) == (["Yes."], 0)
    pyarrow.parquet.write_table(pyarrow.table({**columns, "output": times}), tmp_path / "b.parquet")
    used = read(tmp_path / "b.parquet")
    assert (used.answers, used.faults.bad_rows) == ([], 1)


def test_a_column_twice_refuses_a_parquet_file(tmp_path: Path) -> None:
    columns = [pyarrow.array([each]) for each in ("Hi?", "Yes.", "No.")]
    table = pyarrow.Table.from_arrays(columns, names=["instruction", "output", "output"])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    found = read(tmp_path / "a.parquet")
    assert not found.rows
    assert "a.parquet: has two columns 'output'" in found.message


def test_a_field_twice_within_an_object_refuses_a_parquet_file(tmp_path: Path) -> None:
    twice = pyarrow.StructArray.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"])
    table = pyarrow.table({"instruction": ["Hi?"], "output": ["Yes."], "more": twice})
    with pyarrow.ipc.new_file(str(tmp_path / "a.arrow"), table.schema) as file:
        file.write_table(table)
    assert "a.arrow: not a readable Arrow file: " in read(tmp_path / "a.arrow").message


def test_names_that_are_not_unicode_are_told_so_that_they_can_be_printed(tmp_path: Path) -> None:
    row = {"instruction": "Hi?", "output": "Yes.", "\ud83d": 1}
    (tmp_path / "b\udcff.jsonl").write_text(json.dumps(row) + "\n{")
    (tmp_path / "c\udcff.txt").write_text("")
    found = read(tmp_path)
    assert list(found.notes.warnings()) == [
        "not read: c\\udcff.txt (not a file of rows)",
        "not used: \\ud83d (1)",
    ]
    assert found.places == ["b\\udcff.jsonl:1"]
    assert found.message.startswith("b\\udcff.jsonl:2: not valid JSON")


@pytest.mark.parametrize("target", ["nothing", "b.jsonl"], ids=["nowhere", "itself"])
def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, target: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(LINES)
    (tmp_path / "b.jsonl").symlink_to(target)
    found = read(tmp_path)
    assert len(found.rows) == 3
    assert "b.jsonl: is not there: a link" in found.message


def test_a_file_in_another_encoding_is_told_apart_from_damaged_rows(tmp_path: Path) -> None:
    row = '{{"instruction": "{0}", "output": "b"}}\n'.format
    foreign = row("ä").encode("latin-1") * 5 + row("plain").encode()
    assert (
        "a.jsonl: none of its letters beyond ASCII is UTF-8"
        in read_content(tmp_path, "a.jsonl", foreign).message
    )
    damaged = foreign + row("ö").encode()
    assert "none of its" not in read_content(tmp_path, "b.jsonl", damaged).message
