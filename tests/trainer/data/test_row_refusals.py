"""Rows that are refused: why, in which words, and where in the row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trainer.data.test_row_formats import CHAT, HI, INSTRUCTION, USER, YES, called, sharegpt_call

from blendtune_api.v1alpha1 import BadRowReason
from blendtune_runtime.chat.conversation import ChatRole, from_canonical, of_texts
from blendtune_trainer.rows.conversations import canonical_bytes, to_conversation
from blendtune_trainer.rows.faults import RowFault


@pytest.mark.parametrize(
    ("row", "reason", "fault"),
    [
        pytest.param([], "WrongType", "a row must be an object, this is a list", id="not an object"),
        pytest.param({"text": "a"}, "UnknownFormat", "the columns of this one: text", id="unknown format"),
        pytest.param({"messages": [HI]}, "NoAnswer", "no assistant turn", id="no answer"),
        pytest.param({"messages": []}, "NoAnswer", "no assistant turn", id="no message"),
        pytest.param({"messages": [YES]}, "NoAnswer", "no turn asks", id="an answer alone"),
        pytest.param(
            {"messages": [HI, YES | {"weight": 0}]}, "NoAnswer", "as its weights say", id="nothing to learn"
        ),
        pytest.param({"messages": "Hi"}, "WrongType", "messages must be a list, this is text", id="text"),
        pytest.param({"messages": {"a": 1}}, "WrongType", "this is an object", id="an object"),
        pytest.param({"messages": ["Hi"]}, "WrongType", r"messages\[0\] must be an object", id="texts"),
        pytest.param(
            {"messages": [{"role": "user"}]},
            "UnknownFormat",
            r"messages\[0\] must be an object with role",
            id="no content",
        ),
        pytest.param(
            {"messages": [{"role": "judge", "content": "x"}]},
            "UnknownRole",
            r"messages\[0\]\.role: unknown role 'judge'; known are system, developer, user",
            id="unknown role",
        ),
        pytest.param(
            {"conversations": [{"from": "bob", "value": "x"}]},
            "UnknownRole",
            r"conversations\[0\]\.from: unknown role 'bob'",
            id="unknown sharegpt role",
        ),
        pytest.param(
            {"messages": [HI | {"from": "gpt"}]}, "AmbiguousFormat", "role is user, but from", id="two roles"
        ),
        pytest.param(
            {"messages": [HI, YES | {"content": " \n"}]},
            "EmptyContent",
            r"messages\[1\]\.content is empty",
            id="empty answer",
        ),
        pytest.param(
            {"messages": [HI, YES | {"content": None}]}, "EmptyContent", r"\[1\]\.content", id="null answer"
        ),
        pytest.param(
            {"conversations": [{"from": "human", "value": ""}]},
            "EmptyContent",
            r"conversations\[0\]\.value is empty",
            id="empty question",
        ),
        pytest.param(
            {"instruction": "", "input": " ", "output": "x"},
            "EmptyContent",
            "instruction is empty",
            id="empty instruction and input",
        ),
        pytest.param(INSTRUCTION | {"output": ""}, "EmptyContent", "output is empty", id="empty output"),
        pytest.param(INSTRUCTION | {"output": None}, "EmptyContent", "output is empty", id="null output"),
        pytest.param({"instruction": "Hi?"}, "UnknownFormat", "this one: instruction", id="no output"),
        pytest.param(
            {"messages": [HI, YES | {"content": 3}]}, "WrongType", "this is a number: write", id="not text"
        ),
        pytest.param(INSTRUCTION | {"output": 42}, "WrongType", "output must be text", id="numeric output"),
        *(
            pytest.param(
                {"messages": [HI | {"content": [{"type": kind, kind: "a.png"}]}, YES]},
                "WrongType",
                rf"messages\[0\]\.content\[0\] is a part of type {kind}",
                id=f"part {kind}",
            )
            for kind in ("image_url", "input_audio", "tool_use")
        ),
        pytest.param(CHAT | {"images": ["a.png"]}, "WrongType", "images: only text", id="images"),
        pytest.param(
            {"messages": [HI | {"images": ["a.png"]}, YES]}, "WrongType", r"\[0\]\.images", id="of a turn"
        ),
        pytest.param(
            {"image": "a.png", "conversations": [HI | {"content": "<image>\nWhat is it?"}, YES]},
            "WrongType",
            "image: only text",
            id="an image that a text shows",
        ),
        *(
            pytest.param(
                row | flag, "NoAnswer", f"{key} is .*: this row is not to be learnt", id=f"{flag} beside"
            )
            for flag in ({"weight": 0}, {"train": False}, {"masked": "true"})
            for key in flag
            for row in (CHAT, INSTRUCTION)
        ),
        pytest.param(
            {"prompt": "Hi?", "completion": "No.", "label": False},
            "NoAnswer",
            "label is False",
            id="an answer that is not wanted",
        ),
        pytest.param(
            {"messages": [HI, YES, {"role": "system", "content": "x"}]},
            "WrongOrder",
            "may only stand first",
            id="late system message",
        ),
        pytest.param(
            {"system": "A", "messages": [{"role": "system", "content": "B"}, HI, YES]},
            "AmbiguousFormat",
            "two different system messages",
            id="two system messages",
        ),
        pytest.param(
            CHAT | {"system": "A", "system_prompt": "B"}, "AmbiguousFormat", "two different", id="two columns"
        ),
        pytest.param(
            {"prompt": "a", "completion": "b", "question": "c", "answer": "d"},
            "AmbiguousFormat",
            "prompt and completion, and with question and answer: set columns",
            id="two pairs",
        ),
        pytest.param(
            CHAT | {"prompt": "a", "response": "b"}, "AmbiguousFormat", "set columns", id="and a pair"
        ),
        *(
            pytest.param(INSTRUCTION | {"history": history}, "WrongType", "history", id=f"{history}")
            for history in ("then", [["a"]], [["a", "b", "c"]], ["a", "b"], [["a", 3]], {"a": "b"})
        ),
        pytest.param(
            INSTRUCTION | {"history": [["a", ""]]}, "EmptyContent", r"history\[0\]\[1\]", id="empty history"
        ),
        *(
            pytest.param(
                {"messages": [HI, YES | {"weight": weight}]}, "WrongType", "weight: an", id=f"of {weight}"
            )
            for weight in (0.5, 2, -1, "some", [0, 1])
        ),
        pytest.param(
            {"messages": [HI, YES | {"train_detail": [{"begin_offset": 0}]}]},
            "WrongType",
            "as a whole",
            id="spans",
        ),
        pytest.param(CHAT | {"tools": "weather"}, "InvalidTools", "tools must be a list", id="a word"),
        pytest.param(CHAT | {"tools": [{"type": "function"}]}, "InvalidTools", r"tools\[0\]", id="no name"),
        pytest.param(
            called([{"function": {"name": "w", "arguments": "{city:"}}]),
            "InvalidTools",
            r"messages\[1\]\.tool_calls\[0\]\.function\.arguments is not valid JSON",
            id="broken arguments",
        ),
        pytest.param(
            called([{"function": {"name": "w", "arguments": "[1]"}}]),
            "InvalidTools",
            "must be an object",
            id="arguments that are a list",
        ),
        pytest.param(sharegpt_call("I call it"), "InvalidTools", "not valid JSON", id="call in words"),
    ],
)
def test_a_row_that_teaches_nothing_is_refused(row: object, reason: str, fault: str) -> None:
    with pytest.raises(RowFault, match=fault) as raised:
        to_conversation(row)
    assert raised.value.reason is BadRowReason(reason)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(RowFault, match="not valid Unicode"):
        canonical_bytes(of_texts([(USER, "\ud800")]))


NAMES = (
    "messages conversations prompt completion instruction input output history system tools reasoning role "
    "from content value weight train tool_calls function_call function name arguments type text id"
)
KEYS = st.sampled_from(NAMES.split())
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", " ", "user", "gpt", "[]", "Hi?"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(KEYS, values, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(JSON | st.dictionaries(KEYS, JSON, max_size=5))
def test_any_row_is_a_conversation_or_refused_in_words(row: object) -> None:
    try:
        conversation = to_conversation(row)
    except RowFault as fault:
        assert str(fault) and isinstance(fault.reason, BadRowReason)
    else:
        assert any(each.role is ChatRole.ASSISTANT and each.supervised for each in conversation.messages)
        assert from_canonical(canonical_bytes(conversation)).messages
