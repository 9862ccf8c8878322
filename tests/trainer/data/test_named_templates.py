"""The named chat templates against their references: text, tokens and supervised tokens.

References: FastChat's conversation `vicuna_v1.1`; the chat templates that meta-llama published with
Llama-2-7b-chat-hf and Meta-Llama-3-8B-Instruct; OpenAI's ChatML.
"""

from __future__ import annotations

import jinja2
import numpy as np
import pytest
from tests.chat_tokenizers import byte_level_bpe, sentencepiece_bpe
from tests.tiny_model import CHATML
from tests.trainer.data.encoding import (
    CHAT_ML,
    FAMILIES,
    LLAMA_2,
    LLAMA_3,
    ONE_TURN,
    PADDED,
    TWO_TURNS,
    VICUNA,
    TokenizerFamily,
    Turns,
    assistant,
    encoded,
    system,
    tokenizer_of,
    user,
)

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.templates import template_text, use_chat_template

VICUNA_SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
EXPECTED = [
    pytest.param(
        VICUNA, ONE_TURN, f"<s>{VICUNA_SYSTEM} USER: Hi? ASSISTANT:[ Yes.</s>]", id="vicuna, no system prompt"
    ),
    pytest.param(
        VICUNA,
        TWO_TURNS,
        "<s>Be kind. USER: Hi? ASSISTANT:[ Yes.</s>]USER: And? ASSISTANT:[ No.</s>]",
        id="vicuna, two turns",
    ),
    pytest.param(VICUNA, PADDED, "<s> Be\n USER: \n Hi?  ASSISTANT:[  Yes.\n</s>]", id="vicuna, white space"),
    pytest.param(
        VICUNA,
        [*ONE_TURN, user("And?")],
        f"<s>{VICUNA_SYSTEM} USER: Hi? ASSISTANT:[ Yes.</s>]USER: And? ",
        id="vicuna, unanswered",
    ),
    pytest.param(LLAMA_2, ONE_TURN, "<s>{INST} Hi? {/INST}[ Yes. </s>]", id="llama-2, no system prompt"),
    pytest.param(
        LLAMA_2,
        TWO_TURNS,
        "<s>{INST} <<SYS>>\nBe kind.\n<</SYS>>\n\nHi? {/INST}[ Yes. </s>]<s>{INST} And? {/INST}[ No. </s>]",
        id="llama-2, two turns",
    ),
    pytest.param(
        LLAMA_2,
        PADDED,
        "<s>{INST} <<SYS>>\n Be\n\n<</SYS>>\n\n\n Hi? {/INST}[ Yes. </s>]",
        id="llama-2, white space",
    ),
    pytest.param(
        LLAMA_2,
        [*ONE_TURN, user(" And?")],
        "<s>{INST} Hi? {/INST}[ Yes. </s>]<s>{INST} And? {/INST}",
        id="llama-2, unanswered",
    ),
    pytest.param(
        CHAT_ML,
        ONE_TURN,
        "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n[Yes.<|im_end|>]\n",
        id="chatml, no system prompt",
    ),
    pytest.param(
        CHAT_ML,
        TWO_TURNS,
        "<|im_start|>system\nBe kind.<|im_end|>\n"
        "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n[Yes.<|im_end|>]\n"
        "<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n[No.<|im_end|>]\n",
        id="chatml, two turns",
    ),
    pytest.param(
        CHAT_ML,
        PADDED,
        "<|im_start|>system\n Be\n<|im_end|>\n<|im_start|>user\n\n Hi? <|im_end|>\n"
        "<|im_start|>assistant\n[ Yes.\n<|im_end|>]\n",
        id="chatml, white space",
    ),
    pytest.param(
        CHAT_ML,
        [*ONE_TURN, user("And?")],
        "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n[Yes.<|im_end|>]\n"
        "<|im_start|>user\nAnd?<|im_end|>\n",
        id="chatml, unanswered",
    ),
    pytest.param(
        LLAMA_3,
        ONE_TURN,
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n[Yes.<|eot_id|>]",
        id="llama-3, no system prompt",
    ),
    pytest.param(
        LLAMA_3,
        TWO_TURNS,
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe kind.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n[Yes.<|eot_id|>]"
        "<|start_header_id|>user<|end_header_id|>\n\nAnd?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n[No.<|eot_id|>]",
        id="llama-3, two turns",
    ),
    pytest.param(
        LLAMA_3,
        PADDED,
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n[Yes.<|eot_id|>]",
        id="llama-3, white space",
    ),
    pytest.param(
        LLAMA_3,
        [*ONE_TURN, user("And?")],
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n[Yes.<|eot_id|>]"
        "<|start_header_id|>user<|end_header_id|>\n\nAnd?<|eot_id|>",
        id="llama-3, unanswered",
    ),
]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("template", "conversation", "expected"), EXPECTED)
def test_text_tokens_and_mask_are_the_references(
    template: ChatTemplate,
    conversation: Turns,
    expected: str,
    family: TokenizerFamily,
) -> None:
    """`expected` has the supervised stretches in brackets, and braces for the brackets of Llama-2."""
    tokenizer = tokenizer_of(family, template)
    ids: list[int] = []
    mask: list[bool] = []
    text = expected.translate(str.maketrans("[]", "\1\1"))
    pieces = text.translate(str.maketrans("{}", "[]")).split("\1")
    whole = "".join(pieces)
    assert tokenizer.apply_chat_template(conversation, tokenize=False) == whole
    for number, piece in enumerate(pieces):
        tokens = tokenizer(piece, add_special_tokens=False).input_ids
        ids += tokens
        mask += [number % 2 == 1] * len(tokens)
    assert ids == tokenizer(whole, add_special_tokens=False).input_ids
    outcome = encoded(tokenizer, conversation)
    assert outcome.input_ids.tolist() == ids
    assert outcome.supervised.tolist() == mask


def test_the_tokens_of_a_small_vocabulary() -> None:
    tokenizer = tokenizer_of(sentencepiece_bpe, VICUNA)
    outcome = encoded(tokenizer, [system("A chat"), user("And then?"), assistant("It is\nhere, 日.")])
    prompt = ["<s>", "A", "▁chat", "▁USER:", "▁And", "▁then?", "▁ASSISTANT:"]
    answer = ["▁It", "▁is", "\n", "here", ",", "▁", "<0xE6>", "<0x97>", "<0xA5>", ".", "</s>"]
    assert tokenizer.convert_ids_to_tokens(outcome.input_ids.tolist()) == prompt + answer
    assert outcome.supervised.tolist() == [False] * len(prompt) + [True] * len(answer)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("template", "token", "count"),
    [
        pytest.param(VICUNA, "<s>", 1, id="vicuna"),
        pytest.param(LLAMA_2, "<s>", 2, id="llama-2, before each question"),
        pytest.param(CHAT_ML, "<s>", 0, id="chatml"),
        pytest.param(LLAMA_3, "<|begin_of_text|>", 1, id="llama-3"),
    ],
)
def test_a_text_begins_once(template: ChatTemplate, token: str, count: int, family: TokenizerFamily) -> None:
    tokenizer = tokenizer_of(family, template)
    outcome = encoded(tokenizer, TWO_TURNS)
    begins = outcome.input_ids == tokenizer.convert_tokens_to_ids(token)
    assert begins.sum() == count
    assert not outcome.supervised[begins].any()
    assert bool(begins[0]) == (count > 0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("template", ChatTemplate)
def test_a_prompt_is_what_stands_before_the_answer(template: ChatTemplate, family: TokenizerFamily) -> None:
    tokenizer = tokenizer_of(family, template)
    outcome = encoded(tokenizer, TWO_TURNS)
    begins = np.flatnonzero(np.diff(outcome.supervised.astype(int)) == 1) + 1
    assert len(begins) == 2
    for answer, begin in zip((2, 4), begins, strict=True):
        prompt = tokenizer.apply_chat_template(TWO_TURNS[:answer], add_generation_prompt=True)
        assert prompt.input_ids == outcome.input_ids[:begin].tolist()


@pytest.mark.parametrize("template", ChatTemplate)
def test_the_text_depends_on_no_setting_of_jinja(template: ChatTemplate) -> None:
    """A server that knows no markers may strike them out, and keep the white space between tags."""
    text = template_text(template).replace("{% generation %}", "").replace("{% endgeneration %}", "")
    tokenizer = tokenizer_of(byte_level_bpe, template)
    for prompt in (False, True):
        rendered = (
            jinja2.Environment()
            .from_string(text)
            .render(messages=TWO_TURNS, add_generation_prompt=prompt, bos_token="<s>", eos_token="</s>")
        )
        assert rendered == tokenizer.apply_chat_template(
            TWO_TURNS, tokenize=False, add_generation_prompt=prompt
        )


META_LLAMA_3 = (
    "{% for m in messages %}{{ bos_token if loop.first }}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)


@pytest.mark.parametrize("conversation", [ONE_TURN, TWO_TURNS, PADDED])
@pytest.mark.parametrize(
    ("template", "own"),
    [pytest.param(LLAMA_3, META_LLAMA_3, id="llama-3"), pytest.param(CHAT_ML, CHATML, id="chatml")],
)
def test_by_name_or_the_tokenizers_own_makes_no_difference(
    template: ChatTemplate, own: str, conversation: Turns
) -> None:
    tokenizer = byte_level_bpe()
    tokenizer.bos_token = "<|begin_of_text|>"
    tokenizer.chat_template = own
    theirs = encoded(tokenizer, conversation)
    use_chat_template(tokenizer, template)
    ours = encoded(tokenizer, conversation)
    assert ours.input_ids.tolist() == theirs.input_ids.tolist()
    assert ours.supervised.tolist() == theirs.supervised.tolist()
