"""The user's turn of a chat, left open; and what a model has written, read as an answer."""

from __future__ import annotations

import pytest
from tests.chat_tokenizers import byte_level_bpe
from tests.trainer.data.families import FAMILIES, tokenizer_of

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message, of_texts
from blendtune_runtime.chat.jinja import TemplateRefusal
from blendtune_runtime.chat.open_turn import OpenTurn, open_user_turn, written_answer
from blendtune_runtime.chat.rendering import ChatRenderer, Rendering
from blendtune_runtime.chat.templates import template_text
from blendtune_runtime.errors import BadModel

ASKED = "{% for m in messages %}{% if m.role == 'user' %}"


def renderer(template: str, thinking: bool = False) -> ChatRenderer:
    tokenizer = byte_level_bpe()
    tokenizer.chat_template = template
    return ChatRenderer(tokenizer, Rendering(thinking=thinking))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (
            ChatTemplate.CHATML,
            OpenTurn(prompt="<|im_start|>user\n", end="<|im_end|>", ends_with_token=True),
        ),
        (
            ChatTemplate.LLAMA_3,
            OpenTurn(
                prompt="<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
                end="<|eot_id|>",
                ends_with_token=True,
            ),
        ),
        (ChatTemplate.LLAMA_2, OpenTurn(prompt="<s>[INST]", end="[/INST]", ends_with_token=False)),
    ],
)
def test_the_named_templates(template: ChatTemplate, expected: OpenTurn) -> None:
    assert open_user_turn(renderer(template_text(template)), "<s>") == expected


def test_plain_words_end_a_turn_of_plain_words() -> None:
    turn = open_user_turn(renderer(template_text(ChatTemplate.VICUNA)), "<s>")
    assert turn.prompt.endswith("USER:") and turn.end == "ASSISTANT:" and not turn.ends_with_token


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(
            "{{ bos_token }}" + ASKED + "{{ m.content }}</s>{% endif %}{% endfor %}", id="nothing before"
        ),
        pytest.param(ASKED + "USER: {{ m.content }}{% endif %}{% endfor %}", id="nothing after"),
        pytest.param(ASKED + "{% endif %}{% endfor %}USER: </s>", id="no question"),
        pytest.param("{{ raise_exception('a system message is needed') }}", id="refused"),
    ],
)
def test_a_template_that_marks_no_turn_is_refused_with_advice(template: str) -> None:
    with pytest.raises(BadModel, match=r"cannot ask itself: .*prompts\.uri, or bring general data"):
        open_user_turn(renderer(template), "<s>")


def answer(reasoning: str) -> Message:
    return Message(role=ChatRole.ASSISTANT, content="It rains\n\n- now", reasoning=reasoning)


@pytest.mark.parametrize("thinking", [False, True], ids=["plain", "thinking"])
@pytest.mark.parametrize("reasoning", ["", "Clouds came.\nSo it rains."], ids=["words", "with thoughts"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_is_read_as_its_template_writes_it(family: str, reasoning: str, thinking: bool) -> None:
    made = ChatRenderer(tokenizer_of(family), Rendering(thinking=thinking))
    said = answer(reasoning)
    conversation = Conversation(messages=(Message(role=ChatRole.USER, content="Why?"), said))
    if reasoning and made.reasoned_frame is None:
        with pytest.raises(TemplateRefusal):
            made.turn(conversation, 1)
        return
    turn = made.turn(conversation, 1)
    assert written_answer(made, turn.answer.removesuffix(made.end)) == said


@pytest.mark.parametrize("family", FAMILIES)
def test_the_open_turn_of_a_family_goes_on_to_its_own_prompt(family: str) -> None:
    """What the model writes, then its end, is the beginning of what inference sends for the question."""
    tokenizer = tokenizer_of(family)
    made = ChatRenderer(tokenizer)
    turn = open_user_turn(made, tokenizer.bos_token or "")
    asked = made.prompt(of_texts([(ChatRole.USER, "Why does it rain?")]))
    assert asked.startswith(turn.prompt)
    assert asked[len(turn.prompt) :].lstrip(" ").startswith("Why does it rain?")
    assert asked.partition("Why does it rain?")[2].lstrip().startswith(turn.end)
