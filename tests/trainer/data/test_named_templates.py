"""The named chat templates beside their references: text, tokens, and which of these are supervised.

References: FastChat's conversation `vicuna_v1.1`; the chat templates that meta-llama published with
Llama-2-7b-chat-hf and Meta-Llama-3-8B-Instruct; OpenAI's ChatML.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jinja2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.chat_tokenizers import (
    CHATML_TOKENS,
    ENDS,
    EVERY_TOKEN,
    LLAMA_3_TOKENS,
    byte_level_bpe,
    sentencepiece_bpe,
    unigram,
)
from tests.tiny_model import CHATML
from transformers import PreTrainedTokenizerFast

from blendtune_api.contract import ExitCode
from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.templates import template_text, use_chat_template
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import StageError
from blendtune_trainer.rows.conversations import Conversation, RowFault
from blendtune_trainer.tokens.chat import ChatEncoder, EncodedConversation

VICUNA, LLAMA_2, CHAT_ML, LLAMA_3 = ChatTemplate
FAMILIES = (byte_level_bpe, unigram, sentencepiece_bpe)
TOKENIZERS: dict[Callable[..., PreTrainedTokenizerFast], PreTrainedTokenizerFast] = {}


def system(content: str) -> dict[str, str]:
    return {"role": "system", "content": content}


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def tokenizer_of(
    family: Callable[..., PreTrainedTokenizerFast], template: ChatTemplate
) -> PreTrainedTokenizerFast:
    """The tokenizer of a family, trained once, with the template."""
    tokenizer = TOKENIZERS[family] = TOKENIZERS.get(family) or family()
    use_chat_template(tokenizer, template)
    return tokenizer


def encode(tokenizer: PreTrainedTokenizerFast, conversation: Conversation) -> EncodedConversation | RowFault:
    (outcome,) = ChatEncoder(tokenizer).encode([conversation])
    return outcome


def encoded(tokenizer: PreTrainedTokenizerFast, conversation: Conversation) -> EncodedConversation:
    outcome = encode(tokenizer, conversation)
    assert isinstance(outcome, EncodedConversation), outcome
    return outcome


def supervised_turns(tokenizer: PreTrainedTokenizerFast, outcome: EncodedConversation) -> list[str]:
    """The text of each stretch of supervised tokens."""
    turns: list[list[int]] = []
    previous = False
    for token, supervised in zip(outcome.input_ids.tolist(), outcome.supervised.tolist(), strict=True):
        if supervised and not previous:
            turns.append([])
        if supervised:
            turns[-1].append(token)
        previous = supervised
    return [str(tokenizer.decode(turn, clean_up_tokenization_spaces=False)) for turn in turns]


ONE_TURN = [user("Hi?"), assistant("Yes.")]
TWO_TURNS = [system("Be kind."), user("Hi?"), assistant("Yes."), user("And?"), assistant("No.")]
PADDED = [system(" Be\n"), user("\n Hi? "), assistant(" Yes.\n")]
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
    conversation: Conversation,
    expected: str,
    family: Callable[..., PreTrainedTokenizerFast],
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


TEXT = st.text(
    st.sampled_from("aAeit \n.:'[]日é\N{GRINNING FACE}")
    | st.characters(codec="utf-8", exclude_characters="▁"),
    min_size=1,
    max_size=12,
).filter(str.strip)
CONTENT = TEXT | st.sampled_from(
    [*EVERY_TOKEN, "ASSISTANT: yes", "[/INST]", " twice  blank ", "\n\nlines\n\n"]
)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    turns = draw(st.lists(st.tuples(CONTENT, CONTENT), min_size=1, max_size=3))
    first = [system(draw(CONTENT))] if draw(st.booleans()) else []
    unanswered = [user(draw(CONTENT))] if draw(st.booleans()) else []
    return [*first, *(message for ask, say in turns for message in (user(ask), assistant(say))), *unanswered]


def expected_turn(template: ChatTemplate, content: str) -> str:
    return {
        VICUNA: f" {content}</s>",
        LLAMA_2: f" {content.strip()} </s>",
        CHAT_ML: f"{content}<|im_end|>",
        LLAMA_3: f"{content.strip()}<|eot_id|>",
    }[template]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("template", ChatTemplate)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(conversation=conversations())
@example(conversation=[user("Hi?"), assistant("\n\nYes.")])
@example(conversation=[user("Hi?"), assistant("<|im_end|></s><|eot_id|>"), user("</s>"), assistant(":")])
def test_exactly_the_answers_and_their_ends_are_supervised(
    conversation: Conversation, template: ChatTemplate, family: Callable[..., PreTrainedTokenizerFast]
) -> None:
    tokenizer = tokenizer_of(family, template)
    answers = [message["content"] for message in conversation if message["role"] == "assistant"]
    outcome = encode(tokenizer, conversation)
    if isinstance(outcome, RowFault):  # a line break that melts into the one after ChatML's role
        assert template is CHAT_ML and any(answer[0].isspace() for answer in answers)
        return
    assert supervised_turns(tokenizer, outcome) == [expected_turn(template, answer) for answer in answers]
    text = tokenizer.apply_chat_template(conversation, tokenize=False)
    assert outcome.input_ids.tolist() == tokenizer(text, add_special_tokens=False).input_ids


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
def test_a_text_begins_once(
    template: ChatTemplate, token: str, count: int, family: Callable[..., PreTrainedTokenizerFast]
) -> None:
    tokenizer = tokenizer_of(family, template)
    outcome = encoded(tokenizer, TWO_TURNS)
    begins = outcome.input_ids == tokenizer.convert_tokens_to_ids(token)
    assert begins.sum() == count
    assert not outcome.supervised[begins].any()
    assert bool(begins[0]) == (count > 0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("template", ChatTemplate)
def test_a_prompt_is_what_stands_before_the_answer(
    template: ChatTemplate, family: Callable[..., PreTrainedTokenizerFast]
) -> None:
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
    template: ChatTemplate, own: str, conversation: Conversation
) -> None:
    tokenizer = byte_level_bpe()
    tokenizer.bos_token = "<|begin_of_text|>"
    tokenizer.chat_template = own
    theirs = encoded(tokenizer, conversation)
    use_chat_template(tokenizer, template)
    ours = encoded(tokenizer, conversation)
    assert ours.input_ids.tolist() == theirs.input_ids.tolist()
    assert ours.supervised.tolist() == theirs.supervised.tolist()


@pytest.mark.parametrize("template", ChatTemplate)
@pytest.mark.parametrize(
    ("roles", "words"),
    [
        pytest.param([user, user, assistant], "turn 2 is by user", id="two questions"),
        pytest.param([system, user, assistant, assistant], "turn 3 is by assistant", id="two answers"),
        pytest.param([assistant, user], "turn 1 is by assistant", id="the answer first"),
    ],
)
def test_an_odd_order_of_roles_is_a_fault_of_its_row(
    template: ChatTemplate, roles: list[Callable[[str], dict[str, str]]], words: str
) -> None:
    outcome = encode(tokenizer_of(byte_level_bpe, template), [role("x") for role in roles])
    assert isinstance(outcome, RowFault)
    assert f"the chat template refuses the conversation: {words}: after an optional system" in str(outcome)


@pytest.mark.parametrize(
    ("special_tokens", "template", "words"),
    [
        pytest.param(
            ENDS,
            CHAT_ML,
            "chatml is built of <|im_end|>, <|im_start|>, which the tokenizer lacks among its special "
            "tokens: use vicuna or llama-2, which it has all tokens for",
            id="chatml on Llama-2",
        ),
        pytest.param(
            (*ENDS, *LLAMA_3_TOKENS[:3]), LLAMA_3, "llama-3 is built of <|eot_id|>, which", id="no eot_id"
        ),
        pytest.param(
            CHATML_TOKENS,
            VICUNA,
            "vicuna is built of eos_token, which the tokenizer lacks",
            id="no end of text",
        ),
        pytest.param((), LLAMA_2, "special tokens: use another model, or leave", id="nothing fits"),
    ],
)
def test_a_template_of_other_tokens_is_refused(
    tmp_path: Path, special_tokens: tuple[str, ...], template: ChatTemplate, words: str
) -> None:
    byte_level_bpe(special_tokens).save_pretrained(tmp_path)
    with pytest.raises(StageError, match="chatTemplate: ") as raised:
        load_tokenizer(tmp_path, template)
    assert raised.value.exit_code is ExitCode.BAD_CONFIGURATION
    assert words in raised.value.message


def test_a_token_that_is_not_special_will_not_do(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(ENDS)
    tokenizer.add_tokens(list(CHATML_TOKENS))
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(StageError, match="lacks among its special tokens"):
        load_tokenizer(tmp_path, CHAT_ML)


def test_a_tokenizer_that_joins_every_answer_to_its_prompt_is_refused() -> None:
    tokenizer = sentencepiece_bpe(merged=[(":", "▁")])
    use_chat_template(tokenizer, VICUNA)
    with pytest.raises(
        StageError, match="its first characters and the prompt's last share a token"
    ) as raised:
        ChatEncoder(tokenizer)
    assert raised.value.exit_code is ExitCode.BAD_MODEL


def test_an_answer_that_alone_is_joined_to_its_prompt_is_a_fault_of_its_row() -> None:
    tokenizer = sentencepiece_bpe(merged=[("▁", "Z"), (":", "▁Z")])
    use_chat_template(tokenizer, VICUNA)
    assert isinstance(encode(tokenizer, [user("Zoe: Zoe"), assistant("No: Zoe.")]), EncodedConversation)
    outcome = encode(tokenizer, [user("Who?"), assistant("Me."), user("Who?"), assistant("Zoe.")])
    assert isinstance(outcome, RowFault)
    assert "answer 2: its first characters and the prompt's last share a token" in str(outcome)
