"""Columns of other names, as the spec maps them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blendtune_api import codec
from blendtune_api.faults import InvalidObject
from blendtune_api.v1alpha1 import Columns
from blendtune_runtime.chat.conversation import ChatRole, Message, of_texts
from blendtune_runtime.errors import BadData
from blendtune_runtime.uris import StorePath
from blendtune_trainer.rows.collect import RowSource, collect
from blendtune_trainer.rows.conversations import RowReader
from blendtune_trainer.rows.faults import RowFault, SourceFaults

SYSTEM, USER, ASSISTANT, TOOL = ChatRole
HI = {"role": "user", "content": "Hi?"}
YES = {"role": "assistant", "content": "Yes."}
TURNS = [(USER, "Hi?"), (ASSISTANT, "Yes.")]


@pytest.mark.parametrize(
    ("columns", "row", "turns"),
    [
        pytest.param({"messages": "turns"}, {"turns": [HI, YES]}, TURNS, id="messages"),
        pytest.param({"prompt": "ask", "response": "say"}, {"ask": "Hi?", "say": "Yes."}, TURNS, id="pair"),
        pytest.param(
            {"prompt": "ask", "response": "chosen"},
            {"ask": "Hi?", "chosen": [HI | {"role": "assistant", "content": "Yes."}], "rejected": "No."},
            TURNS,
            id="a list of messages as response",
        ),
        pytest.param(
            {"prompt": "a", "response": "b", "input": "c", "history": "d", "system": "e"},
            {"a": "Hi?", "b": "Yes.", "c": "Now.", "d": [["A?", "B."]], "e": "S"},
            [(SYSTEM, "S"), (USER, "A?"), (ASSISTANT, "B."), (USER, "Hi?\n\nNow."), (ASSISTANT, "Yes.")],
            id="everything",
        ),
        pytest.param(
            {"system": "persona"},
            {"persona": "S", "prompt": "Hi?", "completion": "Yes."},
            [(SYSTEM, "S"), *TURNS],
            id="system alone, of a known pair",
        ),
        pytest.param(
            {"prompt": "input", "response": "output"},
            {"instruction": "unused", "input": "Hi?", "output": "Yes."},
            TURNS,
            id="against the usual meaning",
        ),
        pytest.param(
            {"messages": "messages"},
            {"messages": [HI, YES], "prompt": "a", "response": "b"},
            TURNS,
            id="which of two formats",
        ),
        pytest.param(
            {"prompt": "question", "response": "answer"},
            {"question": "Hi?", "answer": "Yes.", "system_prompt": "S"},
            [(SYSTEM, "S"), *TURNS],
            id="the usual names beside them",
        ),
    ],
)
def test_columns_of_any_name(columns: dict[str, str], row: dict[str, Any], turns: Any) -> None:
    assert RowReader(Columns(**columns)).read(row) == of_texts(turns)


def test_reasoning_and_tools_have_columns_too() -> None:
    columns = Columns(prompt="Question", response="Response", reasoning="Complex_CoT", tools="api")
    row = {"Question": "Hi?", "Complex_CoT": "So.", "Response": "Yes.", "api": [{"name": "weather"}]}
    conversation = RowReader(columns).read(row)
    assert conversation.messages[1] == Message(role=ASSISTANT, content="Yes.", reasoning="So.")
    assert conversation.tools == ({"type": "function", "function": {"name": "weather"}},)


def test_a_row_without_a_mapped_column_says_which_there_are() -> None:
    with pytest.raises(RowFault, match="no column say; the columns of this row: answer, ask"):
        RowReader(Columns(prompt="ask", response="say")).read({"ask": "Hi?", "answer": "Yes."})


def test_a_mapped_column_that_no_row_has_is_an_error(tmp_path: Path) -> None:
    rows = [{"messages": [HI, YES], "id": number} for number in range(3)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    faults = SourceFaults()
    source = RowSource(
        location=StorePath(url=str(tmp_path)),
        field="spec.blend.sources[0]",
        columns=Columns(system="persona"),
    )
    assert len(list(collect(source, faults))) == 3
    with pytest.raises(BadData) as raised:
        faults.faults.check()
    assert raised.value.message == (
        "spec.blend.sources[0].columns.system: no row has a column 'persona'; "
        "the columns of the rows: id, messages"
    )


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        pytest.param({"promt": "a"}, "promt: unknown field", id="mistyped"),
        pytest.param({"prompt": "a"}, "set prompt and response together", id="half a pair"),
        pytest.param({"messages": "a", "input": "b"}, "messages goes with system and tools only", id="both"),
        pytest.param({"prompt": "", "response": "b"}, "prompt: must have", id="empty"),
    ],
)
def test_columns_that_are_refused(columns: dict[str, str], fault: str) -> None:
    with pytest.raises(InvalidObject, match=fault):
        codec.decode(Columns, columns)
