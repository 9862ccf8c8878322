"""What rows say: every format that people bring, as the conversation that it means, or why it is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message, from_canonical, of_texts
from blendtune_trainer.rows.conversations import RowReader, canonical_bytes, to_conversation
from blendtune_trainer.rows.faults import RowFault

SYSTEM, USER, ASSISTANT, TOOL = ChatRole
HI = {"role": "user", "content": "Hi?"}
YES = {"role": "assistant", "content": "Yes."}
CHAT = {"messages": [HI, YES]}
SHAREGPT = {"conversations": [{"from": "human", "value": "Hi?"}, {"from": "gpt", "value": "Yes."}]}
INSTRUCTION = {"instruction": "Hi?", "output": "Yes."}
CONVERSATION = of_texts([(USER, "Hi?"), (ASSISTANT, "Yes.")])
WEATHER = {"name": "weather", "description": "Tells it.", "parameters": {"type": "object"}}
TOOLS = ({"type": "function", "function": WEATHER},)
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": "Hafen"}}}
CALLED = Conversation(
    messages=(
        Message(role=USER, content="Hi?"),
        Message(role=ASSISTANT, content="", tool_calls=(CALL,)),
        Message(role=TOOL, content="12 C"),
        Message(role=ASSISTANT, content="Yes."),
    )
)


def called(call: Any, role: str = "tool", **more: Any) -> dict[str, Any]:
    """A row whose assistant calls a tool."""
    turn = {"role": "assistant", "content": None, "tool_calls": call, **more}
    return {"messages": [HI, turn, {"role": role, "content": "12 C"}, YES]}


def sharegpt_call(value: str, role: str = "function_call") -> dict[str, Any]:
    first, last = SHAREGPT["conversations"]
    return {
        "conversations": [
            first,
            {"from": role, "value": value},
            {"from": "observation", "value": "12 C"},
            last,
        ]
    }


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(CHAT, id="chat"),
        pytest.param(SHAREGPT, id="sharegpt"),
        pytest.param({"conversations": CHAT["messages"]}, id="chat under conversations"),
        pytest.param({"conversation": CHAT["messages"]}, id="chat under conversation"),
        pytest.param({"messages": SHAREGPT["conversations"]}, id="sharegpt under messages"),
        pytest.param({"messages": json.dumps(CHAT["messages"])}, id="messages as JSON text"),
        pytest.param({"messages": [HI | {"role": "Human"}, YES | {"role": "model"}]}, id="other roles"),
        pytest.param({"messages": [HI, YES | {"from": "gpt"}]}, id="role and from that agree"),
        pytest.param({"messages": [HI, YES | {"value": None, "weight": None}]}, id="null fields of structs"),
        pytest.param(INSTRUCTION, id="instruction"),
        pytest.param({"Instruction": "Hi?", " Output ": "Yes."}, id="names in other case"),
        pytest.param({"instruction": "", "input": "Hi?", "output": "Yes."}, id="empty instruction"),
        pytest.param({"instruction": "Hi?", "response": "Yes."}, id="instruction, response"),
        pytest.param({"prompt": "Hi?", "completion": "Yes."}, id="prompt, completion"),
        pytest.param({"prompt": "Hi?", "response": "Yes."}, id="prompt, response"),
        pytest.param({"question": "Hi?", "answer": "Yes."}, id="question, answer"),
        pytest.param({"question": "Hi?", "response": "Yes."}, id="question, response"),
        pytest.param({"query": "Hi?", "response": "Yes."}, id="query, response"),
        pytest.param({"input": "Hi?", "output": "Yes."}, id="input, output"),
        pytest.param({"prompt": [HI], "completion": [YES]}, id="TRL's lists of messages"),
        pytest.param({"prompt": [HI], "completion": "Yes."}, id="messages and text"),
        pytest.param(CHAT | {"conversations": None, "id": 7}, id="null column"),
        pytest.param(CHAT | INSTRUCTION | {"output": None}, id="an incomplete pair"),
        pytest.param(CHAT | {"instruction": "", "output": ""}, id="an empty pair"),
        pytest.param(INSTRUCTION | {"messages": []}, id="empty messages"),
        pytest.param(INSTRUCTION | {"messages": None}, id="null messages"),
        pytest.param(CHAT | SHAREGPT, id="twice the same"),
        pytest.param(INSTRUCTION | {"history": []}, id="empty history"),
        pytest.param(CHAT | {"system": ""}, id="empty system column"),
        pytest.param({"messages": [{"role": "system", "content": " "}, HI, YES]}, id="empty system turn"),
        pytest.param(CHAT | {"tools": "[]"}, id="no tools"),
        *(
            pytest.param(INSTRUCTION | {"input": value}, id=f"input {value!r}")
            for value in ("", " ", "\n", None, math.nan, "<noinput>", "<NoInput>", " <noinput> ")
        ),
    ],
)
def test_the_formats_say_the_same(row: dict[str, object]) -> None:
    assert to_conversation(row) == CONVERSATION


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        pytest.param(
            {"system": "Be brief.", "instruction": "Sum up.", "input": "A text.", "output": "Text."},
            [(SYSTEM, "Be brief."), (USER, "Sum up.\n\nA text."), (ASSISTANT, "Text.")],
            id="instruction with input and system",
        ),
        pytest.param(
            {"messages": [{"role": "system", "content": "Hi?"}, YES]},
            [(SYSTEM, "Hi?"), (ASSISTANT, "Yes.")],
            id="a system message that asks",
        ),
        pytest.param(
            {"instruction": "Sum up.", "context": "A text.", "response": "Text.", "category": "x"},
            [(USER, "Sum up.\n\nA text."), (ASSISTANT, "Text.")],
            id="instruction with context",
        ),
        pytest.param(
            {"instruction": "Sum up.", "input": "N/A", "output": "Text."},
            [(USER, "Sum up.\n\nN/A"), (ASSISTANT, "Text.")],
            id="N/A is text",
        ),
        *(
            pytest.param(
                row | {key: "Be brief."},
                [(SYSTEM, "Be brief."), (USER, "Hi?"), (ASSISTANT, "Yes.")],
                id=f"{key} beside {next(iter(row))}",
            )
            for key in ("system", "system_prompt")
            for row in (CHAT, SHAREGPT, INSTRUCTION, {"question": "Hi?", "answer": "Yes."})
        ),
        pytest.param(
            {"system": "Be brief.", "messages": [{"role": "developer", "content": "Be brief."}, HI, YES]},
            [(SYSTEM, "Be brief."), (USER, "Hi?"), (ASSISTANT, "Yes.")],
            id="system beside the same system turn",
        ),
        pytest.param(
            INSTRUCTION | {"history": [["A?", "B."], ("C?", "D.")], "system": "S"},
            [
                (SYSTEM, "S"),
                *zip([USER, ASSISTANT] * 3, ["A?", "B.", "C?", "D.", "Hi?", "Yes."], strict=True),
            ],
            id="history of pairs",
        ),
        pytest.param(
            INSTRUCTION | {"history": '[["A?", "B."]]'},
            [(USER, "A?"), (ASSISTANT, "B."), (USER, "Hi?"), (ASSISTANT, "Yes.")],
            id="history as JSON text",
        ),
        pytest.param(
            INSTRUCTION | {"history": [HI, YES]},
            [(USER, "Hi?"), (ASSISTANT, "Yes.")] * 2,
            id="history of messages",
        ),
        pytest.param(
            INSTRUCTION | {"weight": "3 kg", "loss": 0.7, "label": 0, "image": "a.png", "train": True},
            [(USER, "Hi?"), (ASSISTANT, "Yes.")],
            id="columns that say nothing of what is learnt",
        ),
        pytest.param(CHAT | {"label": False}, [(USER, "Hi?"), (ASSISTANT, "Yes.")], id="a label of a chat"),
        pytest.param(
            {"prompt": "Hi?", "completion": "Yes.", "label": True},
            [(USER, "Hi?"), (ASSISTANT, "Yes.")],
            id="an answer that is wanted",
        ),
        pytest.param(
            {"prompt": "Hi?", "completion": [HI, YES]},
            [(USER, "Hi?"), (ASSISTANT, "Yes.")],
            id="the prompt again in the response",
        ),
        pytest.param(
            {"prompt": [HI], "completion": [HI, YES, HI, YES]},
            [(USER, "Hi?"), (ASSISTANT, "Yes.")] * 2,
            id="a prompt of messages again in the response",
        ),
        pytest.param(
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "A "}, {"type": "text", "text": "b"}],
                    },
                    {"role": "assistant", "content": [{"type": "output_text", "text": "C"}, "d"]},
                ]
            },
            [(USER, "A b"), (ASSISTANT, "Cd")],
            id="lists of text parts",
        ),
    ],
)
def test_what_stands_beside_the_question_is_used(row: dict[str, object], turns: Any) -> None:
    assert to_conversation(row) == of_texts(turns)


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_thoughts_are_kept_apart_from_the_answer(key: str) -> None:
    thoughtful = Conversation(
        messages=(Message(role=USER, content="Hi?"), Message(role=ASSISTANT, content="Yes.", reasoning="So."))
    )
    assert to_conversation({"messages": [HI, YES | {key: "So."}]}) == thoughtful
    assert to_conversation(INSTRUCTION | {key: "So."}) == thoughtful
    parts = [{"type": "thinking", "thinking": "So."}, {"type": "text", "text": "Yes."}]
    assert to_conversation({"messages": [HI, YES | {"content": parts}]}) == thoughtful
    with pytest.raises(RowFault, match="differ: keep one"):
        to_conversation(
            {"messages": [HI, YES | {key: "So.", "reasoning_content": "Not so.", "thinking": "!"}]}
        )


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(called([CALL]), id="call"),
        pytest.param(called([CALL], role="function"), id="role function"),
        pytest.param(called([CALL["function"]]), id="without its wrapping"),
        pytest.param(called(json.dumps([CALL])), id="as JSON text"),
        pytest.param(
            called([{"function": {"name": "weather", "arguments": '{"city": "Hafen"}'}}]),
            id="arguments as JSON text",
        ),
        pytest.param(called(None, function_call=CALL["function"]), id="function_call of OpenAI"),
        pytest.param(sharegpt_call(json.dumps(CALL["function"])), id="function_call of ShareGPT"),
        pytest.param(sharegpt_call(json.dumps([CALL["function"]]), "tool_call"), id="tool_call of ms-swift"),
    ],
)
def test_calls_of_tools(row: dict[str, object]) -> None:
    assert to_conversation(row) == CALLED


def test_ids_and_names_of_calls_are_kept() -> None:
    row = called([{"id": "c1", **CALL}])
    row["messages"][2] |= {"tool_call_id": "c1", "name": "weather"}
    _, call, result, _ = to_conversation(row).messages
    assert call.tool_calls[0]["id"] == "c1"
    assert (result.tool_call_id, result.name) == ("c1", "weather")


def test_calls_that_follow_one_another_are_one_turn() -> None:
    row = sharegpt_call(json.dumps(CALL["function"]))
    row["conversations"].insert(2, row["conversations"][1])
    messages = to_conversation(row).messages
    assert [message.role for message in messages] == [USER, ASSISTANT, TOOL, ASSISTANT]
    assert messages[1].tool_calls == (CALL, CALL)


@pytest.mark.parametrize(
    "tools",
    [
        pytest.param(list(TOOLS), id="list"),
        pytest.param([WEATHER], id="without wrapping"),
        pytest.param(json.dumps([WEATHER]), id="JSON text"),
        pytest.param([json.dumps(WEATHER)], id="list of JSON texts"),
    ],
)
def test_tools(tools: object) -> None:
    for row in (CHAT, SHAREGPT, INSTRUCTION):
        assert to_conversation(row | {"tools": tools}).tools == TOOLS
        assert to_conversation(row | {"functions": tools}).tools == TOOLS


@pytest.mark.parametrize(
    ("flag", "supervised"),
    [
        *(pytest.param({"weight": value}, bool(value), id=f"weight {value}") for value in (0, 1, 0.0, 1.0)),
        *(
            pytest.param({key: value}, value, id=f"{key} {value}")
            for key in ("train", "training", "trainable", "loss")
            for value in (True, False)
        ),
        pytest.param({"masked": True}, False, id="masked"),
        pytest.param({"weight": None}, True, id="null weight"),
        pytest.param({"weight": 1, "train": False}, False, id="one of two flags"),
    ],
)
def test_flags_say_which_answers_are_learnt(flag: dict[str, object], supervised: bool) -> None:
    row = {"messages": [HI, YES | flag, HI, YES]}
    assert [each.supervised for each in to_conversation(row).messages] == [True, supervised, True, True]
    said = {"conversations": [{"from": "gpt", "value": "x", **flag} if turn is YES else
                              {"from": "human", "value": "y"} for turn in (HI, YES, HI)] + [YES]}  # fmt: skip
    assert to_conversation(said).messages[1].supervised is supervised


def test_answers_within_a_prompt_are_context() -> None:
    row = {"prompt": [HI, YES, HI], "completion": [YES]}
    assert [each.supervised for each in to_conversation(row).messages] == [True, False, True, True]


def test_an_answer_that_nothing_asked_for_is_context_and_told() -> None:
    reader = RowReader()
    greeted = {"conversations": [{"from": "gpt", "value": "Hello!"}, *SHAREGPT["conversations"]]}
    for row in (greeted, greeted, greeted | {"system": "S"}):
        conversation = reader.read(row)
        assert [each.supervised for each in conversation.messages][-3:] == [False, True, True]
    assert list(reader.notes.warnings()) == [
        "conversations begin with an answer: it is context, not learnt (3 times)"
    ]


def test_what_is_not_used_is_told_once_with_its_count() -> None:
    reader = RowReader()
    for number in range(50):
        row = {"messages": [HI | {"name": "ann"}, YES], "id": number, "source": "web" if number % 2 else None}
        reader.read(row | {"tags": []})
    assert list(reader.notes.information()) == ["rows read as chat messages (messages): 50"]
    assert list(reader.notes.warnings()) == ["not used: messages[].name (50), id (50), source (25)"]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
CALLS = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": TEXTS, "arguments": st.dictionaries(TEXTS, st.integers() | TEXTS, max_size=2)}
        ),
    }
)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(ChatRole),
    content=TEXTS,
    reasoning=TEXTS,
    tool_calls=st.lists(CALLS, max_size=2).map(tuple),
    tool_call_id=TEXTS,
    name=TEXTS,
    supervised=st.booleans(),
)


@given(st.lists(MESSAGES, max_size=4), st.lists(CALLS, max_size=2))
def test_canonical_bytes_hold_the_whole_conversation(messages: list[Message], tools: list[Any]) -> None:
    conversation = Conversation(messages=tuple(messages), tools=tuple(tools))
    assert from_canonical(canonical_bytes(conversation)) == conversation
