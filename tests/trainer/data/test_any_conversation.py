"""Whatever a conversation holds: its answers are learnt exactly, or it is refused."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.trainer.data.families import tokenizer_of
from tests.trainer.data.family_cases import FORMS, Case, assistant, encoder_of, learnt, system, user

from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message
from blendtune_trainer.rows.conversations import RowFault

WORDS = st.text(
    st.sampled_from("aZ9 .:\n[]<|>日é☕🙂") | st.characters(codec="utf-8", exclude_characters="▁"),
    min_size=1,
    max_size=10,
).filter(str.strip)


@st.composite
def conversations(draw: st.DrawFn, family: str) -> Conversation:
    """Conversations in which every special token of a family may stand, alone and among words."""
    added = tokenizer_of(family).added_tokens_decoder.values()
    special = sorted(token.content for token in added if token.special)[:400]
    content = WORDS | st.sampled_from(special) | st.tuples(WORDS, st.sampled_from(special)).map("".join)
    thoughts = st.just("") if draw(st.booleans()) else content
    messages = [system(draw(content))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        messages.append(user(draw(content)))
        messages.append(assistant(draw(content), draw(thoughts), draw(st.booleans())))
    messages[-1] = assistant(draw(content), draw(thoughts))
    return Conversation(messages=tuple(messages))


@st.composite
def odd_orders(draw: st.DrawFn) -> Conversation:
    """Turns of questions and answers in any order, with an answer to learn."""
    turn = st.builds(user, WORDS) | st.builds(assistant, WORDS)
    messages = draw(st.lists(turn, max_size=4))
    return Conversation(messages=(user(draw(WORDS)), *messages, assistant(draw(WORDS))))


def forms_of(message: Message, form: str, reasoned: str | None) -> set[str]:
    """What may be learnt of an answer: templates strip white space in different ways."""
    thoughts = message.reasoning.strip()
    template = reasoned if thoughts and reasoned else form
    contents = {message.content, message.content.strip(), message.content.lstrip("\n")}
    return {unicodedata.normalize("NFC", template.format(words=each, thoughts=thoughts)) for each in contents}


@pytest.mark.parametrize("case", FORMS)
def test_whatever_a_conversation_holds_its_answers_are_learnt_or_it_is_refused(case: Case) -> None:
    special = {t.content for t in tokenizer_of(case.family).added_tokens_decoder.values() if t.special}

    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(conversations(case.family))
    def check(conversation: Conversation) -> None:
        (outcome,) = encoder_of(case.family, case.thinking).encode([conversation])
        texts = [text for each in conversation.messages for text in (each.content, each.reasoning)]
        forged = any(token in text for token in special for text in texts)
        thinks = any(each.reasoning for each in conversation.messages)
        assert isinstance(outcome, RowFault) == (forged or (thinks and case.reasoned is None)), outcome
        if isinstance(outcome, RowFault):
            return
        answers = [
            each for each in conversation.messages if each.role is ChatRole.ASSISTANT and each.supervised
        ]
        found = [unicodedata.normalize("NFC", turn) for turn in learnt(case.family, list(outcome))]
        assert len(found) == len(answers)
        for turn, answer in zip(found, answers, strict=True):
            assert turn in forms_of(answer, case.form, case.reasoned)

    check()


@pytest.mark.parametrize("case", FORMS)
def test_whatever_the_order_of_turns_each_answer_is_learnt_or_the_row_refused(case: Case) -> None:
    @settings(max_examples=15, deadline=None, derandomize=True, database=None)
    @given(odd_orders())
    def check(conversation: Conversation) -> None:
        (outcome,) = encoder_of(case.family, case.thinking).encode([conversation])
        if isinstance(outcome, RowFault):
            return
        found = [unicodedata.normalize("NFC", turn) for turn in learnt(case.family, list(outcome))]
        answers = [each for each in conversation.messages if each.role is ChatRole.ASSISTANT]
        assert len(found) == len(answers)
        for turn, answer in zip(found, answers, strict=True):
            assert turn in forms_of(answer, case.form, case.reasoned)

    check()
