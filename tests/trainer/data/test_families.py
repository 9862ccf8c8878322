"""What is learnt of each model family, token by token, on the families' own tokenizers."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from tests.trainer.data.families import FAMILIES, template_of, tokenizer_of
from tests.trainer.data.family_cases import (
    FORMS,
    QWEN_END,
    TODAY,
    TWO_TURNS,
    Case,
    assistant,
    encode,
    encoder_of,
    learnt,
    refusal,
    user,
)

from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message
from blendtune_runtime.chat.rendering import Rendering
from blendtune_trainer.tokens.chat import ChatEncoder

CALL = {"id": "abcdef123", "type": "function", "function": {"name": "price", "arguments": '{"of": "kettle"}'}}
TOOL = {
    "type": "function",
    "function": {
        "name": "price",
        "description": "Looks a price up.",
        "parameters": {"type": "object", "properties": {"of": {"type": "string"}}},
    },
}


@pytest.mark.parametrize("case", FORMS)
def test_exactly_the_answers_and_their_ends_are_learnt(case: Case) -> None:
    examples = encode(case.family, case.thinking, *TWO_TURNS)
    assert len(examples) == case.examples
    assert learnt(case.family, examples) == [
        case.form.format(words=words) for words in ("We do: ☕🙂", "Là, 日本.")
    ]


@pytest.mark.parametrize("case", FORMS)
def test_an_example_begins_with_the_tokens_that_inference_sends(case: Case) -> None:
    tokenizer = tokenizer_of(case.family)
    switches: dict[str, Any] = {"enable_thinking": case.thinking, "thinking": case.thinking}
    for message, example in zip(
        (4, 2), reversed(encode(case.family, case.thinking, *TWO_TURNS)), strict=False
    ):
        asked = encoder_of(case.family, case.thinking).renderer.prompt(
            Conversation(messages=TWO_TURNS[:message])
        )
        if "strftime_now" not in template_of(case.family):
            history = [each.for_template() for each in TWO_TURNS[:message]]
            assert asked == tokenizer.apply_chat_template(
                history, add_generation_prompt=True, tokenize=False, **switches
            )
        ids = tokenizer(asked, add_special_tokens=False).input_ids
        assert example.input_ids[: len(ids)].tolist() == ids
        assert example.supervised[len(ids) :].tolist()[0] and not example.supervised[len(ids) - 1]


@pytest.mark.parametrize("case", FORMS)
def test_no_text_begins_twice(case: Case) -> None:
    begin = tokenizer_of(case.family).bos_token_id
    for example in encode(case.family, case.thinking, *TWO_TURNS):
        assert (example.input_ids == begin).sum() <= 1


@pytest.mark.parametrize("case", FORMS)
def test_thoughts_are_learnt_before_the_words_or_refused(case: Case) -> None:
    apart = (user("Price?"), assistant("Twelve.", reasoning="It was ten."))
    if case.reasoned is None:
        assert "has no place for the reasoning" in refusal(case.family, case.thinking, *apart)
        return
    expected = [case.reasoned.format(thoughts="It was ten.", words="Twelve.")]
    for given_as in (
        apart,
        (user("Price?"), assistant("<think>\nIt was ten.\n</think>\n\nTwelve.")),
        (user("Price?"), assistant("It was ten.\n</think>\n\nTwelve.")),
        (user("Price?"), assistant("<think>It was ten.</think>Twelve.", reasoning="It was ten.")),
    ):
        assert learnt(case.family, encode(case.family, case.thinking, *given_as)) == expected


@pytest.mark.parametrize(
    ("content", "reasoning", "words"),
    [
        pytest.param("<think>So</think>Yes.", "Else", "message 1: its reasoning and its think block differ"),
        pytest.param("<think>So, yes.", "", "message 1: its think block does not end", id="open"),
    ],
)
def test_thoughts_that_contradict_each_other_are_refused(content: str, reasoning: str, words: str) -> None:
    assert words in refusal("qwen3", True, user("Hi?"), assistant(content, reasoning))


def test_thoughts_of_earlier_answers_are_learnt_in_examples_of_their_own() -> None:
    turns = (
        user("One?"),
        assistant("1.", reasoning="First"),
        user("Two?"),
        assistant("2.", reasoning="Second"),
    )
    first, second = encode("qwen3", True, *turns)
    assert learnt("qwen3", [first]) == ["<think>\nFirst\n</think>\n\n1.<|im_end|>"]
    assert learnt("qwen3", [second]) == ["<think>\nSecond\n</think>\n\n2.<|im_end|>"]
    assert "First" not in tokenizer_of("qwen3").decode(second.input_ids)


@pytest.mark.parametrize("family", ["qwen3", "llama3_1-dated", "gptoss"])
@pytest.mark.parametrize("arguments", ['{"of": "kettle"}', {"of": "kettle"}], ids=["JSON text", "object"])
def test_calls_are_learnt_and_results_are_not(family: str, arguments: object) -> None:
    call = {**CALL, "function": {"name": "price", "arguments": arguments}}
    calling = Message(role=ChatRole.ASSISTANT, content="", tool_calls=(call,))
    result = Message(role=ChatRole.TOOL, content="12 thalers", tool_call_id="abcdef123", name="price")
    turns = (user("Price?"), calling, result, assistant("Twelve."))
    called, told = learnt(family, encode(family, False, *turns, tools=(TOOL,)))
    assert '{"of": "kettle"}' in called and "price" in called
    assert called.endswith({"qwen3": QWEN_END, "gptoss": "<|call|>"}.get(family, "<|eot_id|>"))
    assert "Twelve." in told and "12 thalers" not in called + told


@pytest.mark.parametrize("family", ["llama3_1", "gemma3", "phi", "mistral", "deepseek_v3"])
def test_tools_that_a_template_leaves_out_are_refused(family: str) -> None:
    assert "tools: it leaves out" in refusal(family, False, user("Price?"), assistant("12."), tools=(TOOL,))


@pytest.mark.parametrize(
    ("family", "words"),
    [
        pytest.param("llama3_1", "a call of tool_calls", id="ignored"),
        pytest.param("deepseek_v3", "no end of turn after a call", id="without an end"),
        pytest.param("mistral", "tool_calls", id="ignored by mistral"),
    ],
)
def test_calls_that_a_template_leaves_out_are_refused(family: str, words: str) -> None:
    calling = Message(role=ChatRole.ASSISTANT, content="", tool_calls=(CALL,))
    assert words in refusal(family, False, user("Price?"), calling)


def test_a_second_call_that_a_template_leaves_out_is_refused() -> None:
    other = {**CALL, "function": {"name": "price", "arguments": {"of": "brush"}}}
    calling = Message(role=ChatRole.ASSISTANT, content="", tool_calls=(CALL, other))
    assert "a call of tool_calls" in refusal("gptoss", False, user("Price?"), calling)


def test_the_date_is_that_of_the_run() -> None:
    (example,) = encode("llama3_1-dated", False, user("Hi?"), assistant("Yes."))
    assert "Today Date: 14 Mar 2026" in tokenizer_of("llama3_1-dated").decode(example.input_ids)
    digests = {
        ChatEncoder(tokenizer_of(family), Rendering(date=day)).renderer.digest
        for family in ("llama3_1", "llama3_1-dated")
        for day in (TODAY, date(2026, 3, 15))
    }
    assert len(digests) == 3  # a template without a date has one digest on all days


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_that_is_not_supervised_is_context(family: str) -> None:
    turns = (user("One?"), assistant("Wrong.", supervised=False), user("Two?"), assistant("Right."))
    examples = encode(family, False, *turns)
    (answer,) = learnt(family, examples)
    assert "Right." in answer
    assert "Wrong." in tokenizer_of(family).decode(examples[0].input_ids[~examples[0].supervised])


def test_an_answer_that_begins_with_a_line_break_is_learnt() -> None:
    assert learnt("qwen3", encode("qwen3", False, user("List."), assistant("\n- oak"))) == ["- oak<|im_end|>"]
    assert learnt("phi", encode("phi", False, user("List."), assistant("\n\n- oak"))) == ["\n\n- oak<|end|>"]
