"""Reading rows: three formats, three kinds of file, and every fault with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from blendtune_runtime.chat.conversation import ChatRole, of_texts
from blendtune_runtime.errors import BadData
from blendtune_runtime.uris import StorePath
from blendtune_trainer.rows.collect import Row, collect
from blendtune_trainer.rows.conversations import RowFault, canonical_bytes, to_conversation
from blendtune_trainer.rows.faults import Faults

CHAT = {"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."}]}
SHAREGPT = {"conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Yes."}]}
INSTRUCTION = {"instruction": "Hi?", "output": "Yes."}
CONVERSATION = of_texts([(ChatRole.USER, "Hi?"), (ChatRole.ASSISTANT, "Yes.")])


def read(path: Path) -> tuple[list[Row], Faults]:
    faults = Faults()
    return list(collect(StorePath(url=str(path)), "spec.blend.sources[0].uri", faults)), faults


def message_of(faults: Faults) -> str:
    with pytest.raises(BadData) as raised:
        faults.check()
    return raised.value.message


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(CHAT, id="chat"),
        pytest.param(SHAREGPT, id="sharegpt"),
        pytest.param(INSTRUCTION, id="instruction"),
        pytest.param({**INSTRUCTION, "input": ""}, id="instruction with empty input"),
        pytest.param({**CHAT, "conversations": None, "id": 7}, id="null and other columns"),
    ],
)
def test_the_formats_say_the_same(row: dict[str, object]) -> None:
    assert to_conversation(row) == CONVERSATION


def test_an_instruction_may_have_input_and_system() -> None:
    row = {"system": "Be brief.", "instruction": "Sum up.", "input": "A text.", "output": "Text."}
    assert to_conversation(row) == of_texts(
        [
            (ChatRole.SYSTEM, "Be brief."),
            (ChatRole.USER, "Sum up.\n\nA text."),
            (ChatRole.ASSISTANT, "Text."),
        ]
    )


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        pytest.param([], "a row must be an object, this is a list", id="not an object"),
        pytest.param({"text": "a"}, "the keys of this one: text", id="unknown format"),
        pytest.param({"messages": CHAT["messages"][:1]}, "no assistant turn", id="no supervised turn"),
        pytest.param({"messages": []}, "no assistant turn", id="no message"),
        pytest.param({"messages": "Hi"}, "messages must be a list, this is text", id="messages not a list"),
        pytest.param(
            {"messages": [{"role": "user"}]}, r"messages\[0\] must be an object with", id="no content"
        ),
        pytest.param(
            {"messages": [{"role": "tool", "content": "x"}]},
            r"messages\[0\]\.role: unknown role 'tool'; known are system, user, assistant",
            id="unknown role",
        ),
        pytest.param(
            {"conversations": [{"from": "bob", "value": "x"}]},
            r"conversations\[0\]\.from: unknown role 'bob'",
            id="unknown sharegpt role",
        ),
        pytest.param(
            {"messages": [CHAT["messages"][0], {"role": "assistant", "content": " \n"}]},
            r"messages\[1\]\.content is empty",
            id="empty answer",
        ),
        pytest.param(
            {"messages": [{"role": "assistant", "content": 3}]},
            "must be text, this is a number",
            id="not text",
        ),
        pytest.param({"instruction": "Hi?"}, "needs output", id="instruction without output"),
        pytest.param(
            {"messages": [*CHAT["messages"], {"role": "system", "content": "x"}]},
            "a system message may only stand first",
            id="late system message",
        ),
    ],
)
def test_a_row_that_teaches_nothing_is_refused(row: object, fault: str) -> None:
    with pytest.raises(RowFault, match=fault):
        to_conversation(row)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(RowFault, match="not valid Unicode"):
        canonical_bytes(of_texts([(ChatRole.USER, "\ud800")]))


def test_jsonl_names_the_line_of_each_row_and_fault(tmp_path: Path) -> None:
    path = tmp_path / "ads.jsonl"
    lines = [
        json.dumps(CHAT).encode(),
        b"",
        b'{"messages": [',
        json.dumps({"messages": CHAT["messages"][:1]}).encode(),
        b'{"instruction": "\xff"}',
        json.dumps(SHAREGPT).encode(),
    ]
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines) + b"\n")
    rows, faults = read(path)
    assert [row.place for row in rows] == ["ads.jsonl:1", "ads.jsonl:6"]
    message = message_of(faults).split("\n")
    assert message[0].startswith("ads.jsonl:3: not valid JSON: Expecting value, at column ")
    assert message[1] == "ads.jsonl:4: no assistant turn: there is nothing to learn from this row"
    assert message[2] == "ads.jsonl:5: not valid UTF-8 at byte 18 of the line"


def test_a_json_list_names_the_line_where_a_row_begins(tmp_path: Path) -> None:
    path = tmp_path / "ads.json"
    path.write_text(json.dumps([CHAT, {"text": "a"}, INSTRUCTION], indent=1))
    rows, faults = read(path)
    starts = [number for number, line in enumerate(path.read_text().split("\n"), 1) if line == " {"]
    assert [row.place for row in rows] == [f"ads.json:{starts[0]}", f"ads.json:{starts[2]}"]
    assert message_of(faults).startswith(f"ads.json:{starts[1]}: a row needs messages")


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        pytest.param("a.json", "[1,\n 2", "a.json:2: not valid JSON", id="cut json"),
        pytest.param("a.json", '{"a": 1}', "a.json:1: must be a JSON list", id="one object"),
        pytest.param("a.csv", "x", "a.csv: cannot read .csv; use .jsonl, .json, .parquet", id="suffix"),
        pytest.param("a.parquet", "x", "a.parquet: not a readable Parquet file", id="no parquet"),
    ],
)
def test_a_file_that_is_not_what_it_says(tmp_path: Path, name: str, content: str, fault: str) -> None:
    (tmp_path / name).write_text(content)
    rows, faults = read(tmp_path / name)
    assert rows == []
    assert fault in message_of(faults)


def test_parquet_rows_have_numbers(tmp_path: Path) -> None:
    table = pyarrow.Table.from_pylist([CHAT, {"messages": CHAT["messages"][:1]}, CHAT])
    pyarrow.parquet.write_table(table, tmp_path / "ads.parquet")
    rows, faults = read(tmp_path / "ads.parquet")
    assert [row.place for row in rows] == ["ads.parquet row 1", "ads.parquet row 3"]
    assert rows[0].conversation == CONVERSATION
    assert message_of(faults).startswith("ads.parquet row 2: no assistant turn")


def test_a_folder_is_read_in_order_of_names(tmp_path: Path) -> None:
    for name in ("b/2.jsonl", "a.json", "b/.hidden.jsonl", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps([CHAT] if name.endswith("json") else CHAT))
    rows, faults = read(tmp_path)
    assert [row.place for row in rows] == ["a.json:1", "b/2.jsonl:1"]
    assert not faults.count


def test_rows_know_how_much_of_their_source_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(CHAT)}\n" * 3)
    (tmp_path / "b.json").write_text(json.dumps([CHAT] * 4))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([CHAT] * 2), tmp_path / "c.parquet")
    whole = sum(path.stat().st_size for path in tmp_path.iterdir())
    first = (tmp_path / "a.jsonl").stat().st_size
    rows, _ = read(tmp_path)
    shares = [row.fraction_read for row in rows]
    assert shares[:3] == pytest.approx([first / 3 / whole, 2 * first / 3 / whole, first / whole])
    assert shares == sorted(set(shares))
    assert shares[-1] == 1


@pytest.mark.parametrize("name", ["missing.jsonl", "missing"])
def test_a_missing_file_is_named_with_its_field(tmp_path: Path, name: str) -> None:
    _, faults = read(tmp_path / name)
    assert message_of(faults) == f"spec.blend.sources[0].uri: no such file or folder: {tmp_path / name}"


def test_an_empty_folder_is_a_fault(tmp_path: Path) -> None:
    _, faults = read(tmp_path)
    assert "holds no .jsonl, .json, .parquet file" in message_of(faults)


def test_the_first_twenty_faults_are_shown_and_all_counted(tmp_path: Path) -> None:
    (tmp_path / "ads.jsonl").write_text("oops\n" * 31)
    _, faults = read(tmp_path / "ads.jsonl")
    lines = message_of(faults).split("\n")
    assert len(lines) == 21
    assert lines[19].startswith("ads.jsonl:20: ")
    assert lines[20] == "... 31 faults in all; these are the first 20"
