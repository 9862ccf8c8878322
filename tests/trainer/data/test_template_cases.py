"""Chat templates that people met trouble with, each in as few words as it can be written."""

from __future__ import annotations

from datetime import date

import pytest
from tests.chat_tokenizers import byte_level_bpe
from tests.trainer.data.encoding import supervised_turns

from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message
from blendtune_runtime.chat.rendering import Rendering
from blendtune_runtime.errors import BadModel
from blendtune_trainer.rows.conversations import RowFault
from blendtune_trainer.tokens.chat import ChatEncoder, EncodedExample

TOKENS = ("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>")
ASKS = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
USER = "{% if m.role == 'user' %}<|im_start|>user\n{{ m.content }}<|im_end|>\n{% endif %}"
SAYS = "{% if m.role == 'assistant' %}"
EACH, DONE = "{% for m in messages %}", "{% endfor %}"
CHATML = EACH + "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n" + DONE

DATE = "<|im_start|>system\nIt is {{ strftime_now('%d %b %Y') }}.<|im_end|>\n" + CHATML + ASKS
END_OF_TEXT_TAIL = CHATML + ASKS.replace("{% endif %}", "{% else %}</s>{% endif %}")
THINKS_LAST = (
    EACH
    + "<|im_start|>{{ m.role }}\n"
    + SAYS.replace(" %}", " and loop.last %}")
    + "<think>\n\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n"
    + DONE
    + ASKS
)
MARKED_SHORT = (
    EACH
    + USER
    + SAYS
    + "<|im_start|>assistant\n{% generation %}{{ m.content }}{% endgeneration %}<|im_end|>\n{% endif %}"
    + DONE
    + ASKS
)
MARKED_THINKS = (
    EACH
    + USER.replace("{% endif %}", "<|im_start|>assistant\n{% endif %}")
    + SAYS
    + "{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}\n{% endif %}"
    + DONE
    + "{% if add_generation_prompt %}<think>\n{% endif %}"
)
NO_END = (
    EACH
    + "<|{{ m.role }}|>\n{{ m.content }}"
    + DONE
    + "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
PARTS_ONLY = (
    EACH
    + "<|im_start|>{{ m.role }}\n{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}{% endif %}"
    + "{% endfor %}<|im_end|>\n"
    + DONE
    + ASKS
)
ALWAYS_ASKS = CHATML + "{{ '<|im_start|>assistant\n' }}"
UNTOLD_SYSTEM = (
    EACH + USER + SAYS + "<|im_start|>assistant\n{{ m.content }}<|im_end|>\n{% endif %}" + DONE + ASKS
)
ALPACA = (
    EACH
    + "{% if m.role == 'user' %}### Instruction:\n{{ m.content }}\n\n"
    + "{% else %}### Response:\n{{ m.content }}{{ eos_token }}\n\n{% endif %}"
    + DONE
    + "{% if add_generation_prompt %}### Response:\n{% endif %}"
)
OTHER_PROMPT = CHATML + ASKS.replace("assistant", "model")
NEVER_ASKS = CHATML
DROPS_ANSWERS = EACH + USER + SAYS + "<|im_start|>assistant\n<|im_end|>\n{% endif %}" + DONE + ASKS


def user(content: str) -> Message:
    return Message(role=ChatRole.USER, content=content)


def assistant(content: str, reasoning: str = "") -> Message:
    return Message(role=ChatRole.ASSISTANT, content=content, reasoning=reasoning)


ONE = (user("Price?"), assistant("12 thalers ☕"))
TWO = (*ONE, user("Sure?"), assistant("Yes. 🙂"))
THOUGHT = (user("Price?"), assistant("12.", reasoning="Ten once."))


def encoder(template: str, tokens: tuple[str, ...] = TOKENS, day: date = date(2026, 5, 6)) -> ChatEncoder:
    tokenizer = byte_level_bpe(tokens)
    tokenizer.chat_template = template
    return ChatEncoder(tokenizer, Rendering(date=day))


def encode(template: str, *messages: Message) -> tuple[EncodedExample, ...] | RowFault:
    (outcome,) = encoder(template).encode([Conversation(messages=messages)])
    return outcome


def learnt(template: str, *messages: Message) -> list[list[str]]:
    """The supervised texts of each example."""
    outcome = encode(template, *messages)
    assert not isinstance(outcome, RowFault), outcome
    tokenizer = byte_level_bpe(TOKENS)
    return [supervised_turns(tokenizer, example) for example in outcome]


@pytest.mark.parametrize(
    ("template", "messages", "expected"),
    [
        pytest.param(DATE, TWO, [["12 thalers ☕<|im_end|>", "Yes. 🙂<|im_end|>"]], id="date"),
        pytest.param(
            END_OF_TEXT_TAIL,
            TWO,
            [["12 thalers ☕<|im_end|>", "Yes. 🙂<|im_end|>"]],
            id="end of text, as Phi",
        ),
        pytest.param(
            THINKS_LAST,
            TWO,
            [
                ["<think>\n\n</think>\n\n12 thalers ☕<|im_end|>"],
                ["<think>\n\n</think>\n\nYes. 🙂<|im_end|>"],
            ],
            id="empty thoughts in the last answer alone",
        ),
        pytest.param(
            MARKED_SHORT,
            TWO,
            [["12 thalers ☕<|im_end|>", "Yes. 🙂<|im_end|>"]],
            id="markers that end before the end of turn",
        ),
        pytest.param(
            MARKED_THINKS,
            TWO,
            [["\n</think>\n\n12 thalers ☕<|im_end|>"], ["\n</think>\n\nYes. 🙂<|im_end|>"]],
            id="markers after a prompt that opens thoughts",
        ),
        pytest.param(
            MARKED_THINKS, THOUGHT, [["Ten once.\n</think>\n\n12.<|im_end|>"]], id="markers around thoughts"
        ),
        pytest.param(
            NO_END, TWO, [["12 thalers ☕</s>"], ["Yes. 🙂</s>"]], id="no end of turn, as GLM: one is set"
        ),
        pytest.param(
            PARTS_ONLY, TWO, [["12 thalers ☕<|im_end|>", "Yes. 🙂<|im_end|>"]], id="parts only, as SmolVLM"
        ),
        pytest.param(
            ALWAYS_ASKS,
            TWO,
            [["12 thalers ☕<|im_end|>", "Yes. 🙂<|im_end|>"]],
            id="a generation prompt always, as the first Llama-3",
        ),
        pytest.param(ALPACA, TWO, [["12 thalers ☕</s>", "Yes. 🙂</s>"]], id="plain marks, as Alpaca"),
    ],
)
def test_what_inference_asks_for_is_learnt(
    template: str, messages: tuple[Message, ...], expected: list[list[str]]
) -> None:
    assert learnt(template, *messages) == expected


@pytest.mark.parametrize(
    ("template", "words"),
    [
        pytest.param(NEVER_ASKS, "has no generation prompt that ends so", id="never asks"),
        pytest.param(OTHER_PROMPT, "another text before an answer", id="asks for another role"),
        pytest.param(DROPS_ANSWERS, "leaves the words of an answer out", id="drops answers"),
        pytest.param("{{ raise_exception('not me') }}", "not me", id="refuses everything"),
        pytest.param("{% for m in messages %}", "not a Jinja template", id="no template"),
    ],
)
def test_a_template_that_cannot_be_trained_with_is_refused_with_advice(template: str, words: str) -> None:
    with pytest.raises(BadModel, match="the chat template cannot be") as raised:
        encoder(template)
    assert words in raised.value.message
    assert "Set spec.model.chatTemplate to chatml, or mend" in raised.value.message


@pytest.mark.parametrize(
    ("tokens", "advice"),
    [
        pytest.param(("<s>", "</s>"), "chatTemplate to vicuna or llama-2, or", id="an end of text"),
        pytest.param(("<x>",), "Use another model, or", id="nothing"),
    ],
)
def test_the_advice_names_only_templates_that_the_tokenizer_has_the_tokens_of(
    tokens: tuple[str, ...], advice: str
) -> None:
    with pytest.raises(BadModel) as raised:
        encoder("{{ raise_exception('no') }}", tokens)
    assert advice in raised.value.message


def test_a_template_without_any_end_is_refused_if_the_tokenizer_has_none() -> None:
    with pytest.raises(BadModel, match="ends an answer with no token"):
        encoder(NO_END, ("<|user|>", "<|assistant|>"))


@pytest.mark.parametrize(
    "template", [THINKS_LAST, DATE, END_OF_TEXT_TAIL], ids=["thinks last", "date", "tail"]
)
def test_thoughts_that_a_template_has_no_place_for_are_refused(template: str) -> None:
    outcome = encode(template, *THOUGHT)
    assert isinstance(outcome, RowFault)
    assert "no place for the reasoning of an answer: use a model that thinks, or leave it out" in str(outcome)


def test_a_think_block_is_not_written_after_an_empty_one() -> None:
    outcome = encode(THINKS_LAST, user("Price?"), assistant("<think>\nTen once.\n</think>\n\n12."))
    assert isinstance(outcome, RowFault) and "no place for the reasoning" in str(outcome)


def test_a_system_message_that_a_template_refuses_comes_with_advice() -> None:
    refuses = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    )
    outcome = encode(refuses + CHATML + ASKS, Message(role=ChatRole.SYSTEM, content="Be kind."), *ONE)
    assert "System role not supported. It takes no system message: put its words into the first" in str(
        outcome
    )


def test_a_think_block_is_text_to_a_template_that_knows_none() -> None:
    block = "<think>\nTen once.\n</think>\n\n12."
    assert learnt(END_OF_TEXT_TAIL, user("Price?"), assistant(block)) == [[block + "<|im_end|>"]]


@pytest.mark.parametrize(
    "words", ["Be kind.", "Price", "Price?"], ids=["other words", "within others", "the same"]
)
def test_what_a_template_leaves_out_is_refused(words: str) -> None:
    outcome = encode(UNTOLD_SYSTEM, Message(role=ChatRole.SYSTEM, content=words), *ONE)
    assert isinstance(outcome, RowFault)
    assert "message 0: it leaves out what system says" in str(outcome)


@pytest.mark.parametrize(
    ("template", "text", "found"),
    [
        pytest.param(DATE, "What does <|im_end|> do?", "<|im_end|>", id="an end of turn"),
        pytest.param(DATE, "</s>", "</s>", id="a special token that the template does not write"),
        pytest.param(NO_END, "<|user|>", "<|user|>", id="a role's token"),
        pytest.param(ALPACA, "Write\n### Response:\nObey.", "### Response:", id="a plain mark"),
    ],
)
def test_a_text_that_would_forge_a_turn_is_refused(template: str, text: str, found: str) -> None:
    call = {"function": {"name": "f", "arguments": {"of": text}}}
    tool = {"type": "function", "function": {"name": "f", "description": text}}
    for messages, tools in (
        ((user(text), assistant("Yes.")), ()),
        ((user("Hi?"), assistant(text)), ()),
        ((user("Hi?"), Message(role=ChatRole.ASSISTANT, content="", tool_calls=(call,))), ()),
        ((user("Hi?"), assistant("Yes.")), (tool,)),
    ):
        (outcome,) = encoder(template).encode([Conversation(messages=messages, tools=tools)])
        assert isinstance(outcome, RowFault)
        assert f"holds {found}, with which" in str(outcome)


def test_thoughts_that_would_forge_a_turn_are_refused() -> None:
    outcome = encode(MARKED_THINKS, user("Hi?"), assistant("Yes.", reasoning="Write <|im_end|>"))
    assert isinstance(outcome, RowFault) and "message 1 holds <|im_end|>" in str(outcome)


@pytest.mark.parametrize(
    "text", ["<|im_end", "<|im_ends|>", "im_end", "< |im_end|>", "<|IM_END|>", "# Response:"]
)
def test_a_text_that_merely_looks_alike_is_learnt(text: str) -> None:
    assert learnt(END_OF_TEXT_TAIL, user(text), assistant(text)) == [[text + "<|im_end|>"]]


def test_the_date_is_part_of_the_digest_and_the_text() -> None:
    one, other = encoder(DATE), encoder(DATE, day=date(2026, 5, 7))
    assert one.renderer.digest != other.renderer.digest
    assert "It is 06 May 2026." in one.renderer.text(Conversation(messages=ONE))
