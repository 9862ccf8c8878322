"""Which tokens are supervised, token by token, with and without generation markers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.tiny_model import CHATML, CHATML_WITH_MARKERS, build_tokenizer
from tests.trainer.data.encoding import conversation, encoded, supervised_turns
from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerFast

from blendtune_api.contract import ExitCode
from blendtune_runtime.errors import BadModel
from blendtune_trainer.rows.conversations import RowFault
from blendtune_trainer.tokens.chat import ChatEncoder

TWO_TURNS = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Où est l'été?"},
    {"role": "assistant", "content": "Là, 日本."},
    {"role": "user", "content": "And?"},
    {"role": "assistant", "content": "No more. \n"},
]


def marked(before: str, inside: str, after: str, asks: bool = True) -> str:
    """A ChatML template whose assistant turns are rendered in three parts, the middle one marked."""
    generation_prompt = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    return (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
        "{% if message['role'] == 'assistant' %}{{ '" + before + "' }}{% generation %}{{ " + inside + " }}"
        "{% endgeneration %}{{ '"
        + after
        + "' }}{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}"
        "{% endfor %}"
    ) + (generation_prompt if asks else "")


@pytest.mark.parametrize("trim_offsets", [False, True])
@pytest.mark.parametrize("template", [CHATML, CHATML_WITH_MARKERS], ids=["without markers", "with markers"])
def test_only_answers_and_their_end_are_supervised(template: str, trim_offsets: bool) -> None:
    tokenizer = build_tokenizer(template)
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
    example = encoded(tokenizer, TWO_TURNS)
    text = tokenizer.apply_chat_template(TWO_TURNS, tokenize=False)
    assert example.input_ids.tolist() == tokenizer(text, add_special_tokens=False).input_ids
    assert supervised_turns(tokenizer, example) == ["Là, 日本.<|im_end|>", "No more. \n<|im_end|>"]
    ends = example.input_ids == tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert example.supervised[ends].tolist() == [False, False, True, False, True]


def test_two_answers_that_end_a_conversation_are_both_learnt() -> None:
    tokenizer = build_tokenizer(CHATML)
    turns = [
        {"role": "user", "content": "Hi?"},
        {"role": "assistant", "content": "One moment."},
        {"role": "assistant", "content": "Yes."},
    ]
    example = encoded(tokenizer, turns)
    assert supervised_turns(tokenizer, example) == ["One moment.<|im_end|>", "Yes.<|im_end|>"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param(
            marked("", "message['content'] + '<|im_end|>'", "\n"), "Yes.<|im_end|>", id="with its end"
        ),
        pytest.param(
            marked("", "message['content']", "<|im_end|>\n"), "Yes.<|im_end|>", id="short of its end"
        ),
        pytest.param(
            marked("", "message['content'] + '<|im_end|>\n'", ""), "Yes.<|im_end|>", id="beyond its end"
        ),
        pytest.param(
            marked("Well: ", "message['content']", "."), "Well: Yes..<|im_end|>", id="no end-of-turn token"
        ),
    ],
)
def test_markers_do_not_decide_what_is_learnt_but_what_inference_sends_does(
    template: str, expected: str
) -> None:
    tokenizer = build_tokenizer(template)
    turns = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."}]
    assert supervised_turns(tokenizer, encoded(tokenizer, turns)) == [expected]


def test_a_question_after_the_last_answer_is_not_supervised(tokenizer: PreTrainedTokenizerFast) -> None:
    example = encoded(tokenizer, TWO_TURNS[:4])
    assert supervised_turns(tokenizer, example) == ["Là, 日本.<|im_end|>"]


def test_a_tokenizer_set_to_truncate_does_not() -> None:
    tokenizer = build_tokenizer(CHATML)
    tokenizer.backend_tokenizer.enable_truncation(max_length=8)
    tokenizer.backend_tokenizer.enable_padding(length=4096)
    turns = [{"role": "user", "content": "a" * 300}, {"role": "assistant", "content": "b" * 300}]
    assert 600 < len(encoded(tokenizer, turns).input_ids) < 700


def test_a_tokenizer_without_template_is_refused(tokenizer_without_template: PreTrainedTokenizerFast) -> None:
    with pytest.raises(BadModel, match="has no chat template") as raised:
        ChatEncoder(tokenizer_without_template)
    assert raised.value.exit_code is ExitCode.BAD_MODEL


def test_several_named_templates_need_one_that_is_the_default() -> None:
    tokenizer = build_tokenizer(CHATML)
    tokenizer.chat_template = {"rag": CHATML, "tool_use": CHATML}
    with pytest.raises(BadModel, match="has the chat templates rag, tool_use and none that is named default"):
        ChatEncoder(tokenizer)


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(marked("", "message['content']", "<|im_end|>", asks=False), id="never asks"),
        pytest.param(CHATML.replace("<|im_start|>assistant", "<|im_start|>model"), id="another prompt"),
        pytest.param("{{ raise_exception('no') }}", id="refuses everything"),
    ],
)
def test_a_template_whose_answers_cannot_be_told_apart_is_refused(template: str) -> None:
    with pytest.raises(BadModel, match="cannot be trained with") as raised:
        ChatEncoder(build_tokenizer(template))
    assert raised.value.exit_code is ExitCode.BAD_MODEL
    assert "Set spec.model.chatTemplate to chatml, or mend" in raised.value.message


def merging_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with one merge: two line breaks are one token, as in many real vocabularies."""
    tokenizer = build_tokenizer(CHATML)
    state: dict[str, Any] = json.loads(tokenizer.backend_tokenizer.to_str())
    state["model"]["vocab"]["ĊĊ"] = len(tokenizer)
    state["model"]["merges"] = [["Ċ", "Ċ"]]
    backend = Tokenizer.from_str(json.dumps(state))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>", chat_template=CHATML
    )


@pytest.mark.parametrize("template", [CHATML, CHATML_WITH_MARKERS], ids=["without markers", "with markers"])
def test_an_answer_that_melts_into_its_prompt_follows_the_prompt_that_inference_sends(template: str) -> None:
    tokenizer = merging_tokenizer()
    tokenizer.chat_template = template
    turns = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "\n\nYes."}]
    example = encoded(tokenizer, turns)
    asked = tokenizer.apply_chat_template(turns[:1], add_generation_prompt=True).input_ids
    assert example.input_ids[: len(asked)].tolist() == asked
    assert supervised_turns(tokenizer, example) == ["\n\nYes.<|im_end|>"]


def test_a_conversation_that_the_template_refuses_is_a_fault_of_its_row_alone() -> None:
    strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    encoder = ChatEncoder(build_tokenizer(strict + CHATML))
    good = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."}]
    with_system = [{"role": "system", "content": "x"}, *good]
    outcomes = encoder.encode([conversation(with_system), conversation(good)])
    assert str(outcomes[0]) == (
        "the chat template refuses the conversation: no system. It takes no system message: put its words "
        "into the first question"
    )
    assert not isinstance(outcomes[1], RowFault)
