"""Which rows of a base model are kept, and why the others are not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_api.v1alpha1 import RejectedBecause, RejectedRows
from blendtune_runtime.chat.conversation import ChatRole, Conversation, of_texts
from blendtune_trainer.rehearsing.batches import Batches, WrittenRow
from blendtune_trainer.rehearsing.filters import AskedQuestions, KeptRow, RowFilter, told
from blendtune_trainer.rehearsing.near_duplicates import NearDuplicates
from blendtune_trainer.rows.contamination import PromptSearch, RubricPrompt
from blendtune_trainer.tokens.chat import Examples

KEPT = WrittenRow(question="How tall is the tower that stands in the old harbour?", answer="94 metres.")
RUBRIC = RubricPrompt(
    question="q1", domain="general", text="Which of the planets of our solar system has the most moons?"
)


def encode(conversation: Conversation) -> Examples | RejectedBecause:
    text = conversation.messages[-1].content
    if "<|im_end|>" in text:
        return RejectedBecause.UNRENDERABLE
    return RejectedBecause.TOO_LONG if len(text) > 100 else ()


def after_one() -> RowFilter:
    asked = AskedQuestions()
    asked.search("ads.jsonl:1", of_texts([(ChatRole.USER, "What does a Summit ad cost?")]))
    rows = RowFilter(PromptSearch([RUBRIC]), asked.keys, encode)
    assert isinstance(rows.judge(KEPT), KeptRow)
    return rows


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(replace(KEPT, question=""), RejectedBecause.EMPTY, id="no question"),
        pytest.param(replace(KEPT, question="?!"), RejectedBecause.EMPTY, id="a question without words"),
        pytest.param(replace(KEPT, answer=" \n"), RejectedBecause.EMPTY, id="no answer"),
        pytest.param(replace(KEPT, finished=False), RejectedBecause.UNFINISHED, id="cut"),
        pytest.param(KEPT, RejectedBecause.DUPLICATE, id="the same"),
        pytest.param(
            replace(KEPT, question=KEPT.question.upper().rstrip("?"), answer="About 90 metres."),
            RejectedBecause.DUPLICATE,
            id="the same in other letters",
        ),
        pytest.param(
            replace(KEPT, question="How tall is the tower that stands in the new harbour?"),
            RejectedBecause.NEAR_DUPLICATE,
            id="one word differs",
        ),
        pytest.param(
            replace(KEPT, question="what does a summit ad cost"), RejectedBecause.IN_DOMAIN, id="in-domain"
        ),
        pytest.param(
            replace(KEPT, question=RUBRIC.text.lower()), RejectedBecause.NEAR_RUBRIC, id="of the rubric"
        ),
        pytest.param(
            replace(KEPT, question="Say which of the planets of our solar system has rings"),
            RejectedBecause.NEAR_RUBRIC,
            id="a phrase of the rubric",
        ),
        pytest.param(
            WrittenRow(question="Why is it so?", answer="So<|im_end|>"), RejectedBecause.UNRENDERABLE,
            id="a control token",
        ),
        pytest.param(
            WrittenRow(question="Why is it so?", answer="so " * 60), RejectedBecause.TOO_LONG, id="too long"
        ),
    ],
)  # fmt: skip
def test_a_row_is_left_out_for(row: WrittenRow, reason: RejectedBecause) -> None:
    assert after_one().judge(row) is reason


@pytest.mark.parametrize(
    "question",
    ["Why?", "How tall is the tower in Paris?", "What does a Basecamp ad cost?", "日本の首都はどこですか"],
)
def test_another_question_is_kept(question: str) -> None:
    assert isinstance(after_one().judge(replace(KEPT, question=question)), KeptRow)


def test_a_row_that_was_left_out_makes_no_other_a_duplicate() -> None:
    rows = after_one()
    cut = WrittenRow(question="Why is it so?", answer="Because", finished=False)
    assert rows.judge(cut) is RejectedBecause.UNFINISHED
    assert isinstance(rows.judge(replace(cut, finished=True)), KeptRow)


def test_thoughts_are_kept_apart() -> None:
    judged = after_one().judge(WrittenRow(question="Why is it so?", answer="So.", reasoning="Hm."))
    assert isinstance(judged, KeptRow)
    assert (judged.conversation.messages[1].content, judged.conversation.messages[1].reasoning) == (
        "So.",
        "Hm.",
    )


def test_reasons_are_told_with_the_most_frequent_first() -> None:
    counts = Counter({RejectedBecause.EMPTY: 2, RejectedBecause.UNFINISHED: 5, RejectedBecause.DUPLICATE: 2})
    assert told(counts) == (
        RejectedRows(reason=RejectedBecause.UNFINISHED, rows=5),
        RejectedRows(reason=RejectedBecause.DUPLICATE, rows=2),
        RejectedRows(reason=RejectedBecause.EMPTY, rows=2),
    )


WORDS = st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=30).map(tuple)


@given(WORDS, st.lists(WORDS, max_size=20))
def test_a_text_is_a_near_duplicate_of_itself_whatever_else_there_is(
    text: tuple[str, ...], others: list[tuple[str, ...]]
) -> None:
    near = NearDuplicates()
    for other in others:
        near.add(other)
    near.add(text)
    assert text in near


@given(WORDS, WORDS)
def test_texts_without_a_common_word_are_no_near_duplicates(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    near = NearDuplicates()
    near.add(one)
    assert tuple(word.upper() for word in other) not in near


class TestBatches:
    def test_a_damaged_batch_is_written_again(self, tmp_path: object) -> None:
        from pathlib import Path

        folder = Path(str(tmp_path))
        batches = Batches(folder)
        assert batches.read_or_write(0, lambda _: [KEPT]) == ((KEPT,), False)
        assert batches.read_or_write(0, lambda _: []) == ((KEPT,), True)
        other = replace(KEPT, answer="94 metres.\u2028It is old.")
        assert batches.read_or_write(1, lambda _: [other]) == ((other,), False)
        assert batches.read_or_write(1, lambda _: []) == ((other,), True)
        file = min(folder.glob("batch-*"))
        file.write_text(file.read_text()[:-5])
        assert batches.read_or_write(0, lambda _: [KEPT, KEPT]) == ((KEPT, KEPT), False)
