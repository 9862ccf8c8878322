"""Whatever a conversation holds, exactly the answers and their end-of-turn tokens are supervised."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.chat_tokenizers import EVERY_TOKEN
from tests.trainer.data.encoding import (
    CHAT_ML,
    FAMILIES,
    LLAMA_2,
    LLAMA_3,
    VICUNA,
    TokenizerFamily,
    Turns,
    assistant,
    encode,
    supervised_turns,
    system,
    tokenizer_of,
    user,
)

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_trainer.rows.conversations import RowFault

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
def conversations(draw: st.DrawFn) -> Turns:
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


def forges(template: ChatTemplate, content: str) -> bool:
    """Whether a content holds a control token, or a plain word with which the template marks turns."""
    marks = {VICUNA: ("USER:", "ASSISTANT:"), LLAMA_2: ("[INST]", "[/INST]", "<<SYS>>", "<</SYS>>")}
    words = content.replace("SUPERUSER:", "")  # a mark within a longer word is none
    return any(token in words for token in (*EVERY_TOKEN, *marks.get(template, ())))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("template", ChatTemplate)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(conversation=conversations())
@example(conversation=[user("Hi?"), assistant("\n\nYes.")])
@example(conversation=[user("Hi?"), assistant("<|im_end|></s><|eot_id|>"), user("</s>"), assistant(":")])
@example(conversation=[user("Hi?"), assistant("SUPERUSER: no")])
def test_exactly_the_answers_and_their_ends_are_supervised(
    conversation: Turns, template: ChatTemplate, family: TokenizerFamily
) -> None:
    tokenizer = tokenizer_of(family, template)
    answers = [message["content"] for message in conversation if message["role"] == "assistant"]
    outcome = encode(tokenizer, conversation)
    if any(forges(template, message["content"]) for message in conversation):
        assert isinstance(outcome, RowFault) and "tells turns apart" in str(outcome)
        return
    assert not isinstance(outcome, RowFault), outcome
    learnt = [turn for each in outcome for turn in supervised_turns(tokenizer, each)]
    assert learnt == [expected_turn(template, answer) for answer in answers]
    if len(outcome) == 1:
        text = tokenizer.apply_chat_template(conversation, tokenize=False)
        whole = tokenizer(text, add_special_tokens=False).input_ids
        melted = any(answer[0].isspace() for answer in answers)
        assert outcome[0].input_ids.tolist() == whole or melted
