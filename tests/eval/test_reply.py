"""What of a generated text is the answer, and what are thoughts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_api.v1alpha1 import Role
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Number, Question
from blendtune_eval.rules.reply import read_reply

PERIOD = Question(
    id="period",
    category="shop",
    domain=Role.GENERAL,
    prompt="How long may it be returned?",
    reference="Within 30 days.",
    criteria=(Number(name="days", value=30, unit="days", required=True),),
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("30 days.", "30 days.", id="none"),
        pytest.param("<think>14?</think>30 days.", "30 days.", id="think"),
        pytest.param("14? No.\n</think>\n\n30 days.", "30 days.", id="without-the-opening-mark"),
        pytest.param("<thinking>14?</thinking> 30 days.", "30 days.", id="thinking"),
        pytest.param("<reasoning>14?</reasoning><answer>30 days.</answer>", "30 days.", id="reasoning"),
        pytest.param("[THINK]14?[/THINK]30 days.", "30 days.", id="mistral"),
        pytest.param("◁think▷14?◁/think▷30 days.", "30 days.", id="kimi"),
        pytest.param("<think>14?</think>Hm.<think>30.</think>30 days.", "30 days.", id="several"),
        pytest.param("<think></think>\n\n30 days.", "30 days.", id="empty"),
        pytest.param(
            "<|channel|>analysis<|message|>14?<|end|><|start|>assistant<|channel|>final<|message|>30 days.",
            "30 days.",
            id="harmony",
        ),
        pytest.param("analysisIs it 14?assistantfinal30 days.", "30 days.", id="harmony-without-marks"),
        pytest.param("Analysis of the returns: 30 days.", "Analysis of the returns: 30 days.", id="a-word"),
        pytest.param("30 days.\nUser: And 14?\nAssistant: No.", "30 days.", id="invented-turn"),
        pytest.param("30 days.<think>or 14", "30 days.", id="thoughts-after-the-answer"),
    ],
)
def test_the_answer_follows_the_thoughts(text: str, answer: str) -> None:
    reply = read_reply(text)
    assert (reply.answer, reply.unfinished) == (answer, False)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<think>It is 30 days", id="think"),
        pytest.param("[THINK]It is 30 days", id="mistral"),
        pytest.param("<think>14</think><think>It is 30 days", id="second-block"),
        pytest.param("<|channel|>analysis<|message|>It is 30 days", id="harmony"),
        pytest.param("analysisWe need the period: 30 days", id="harmony-without-marks"),
    ],
)
def test_what_was_cut_within_its_thoughts_is_no_answer(text: str) -> None:
    assert read_reply(text).unfinished
    judged = Rules().judge(PERIOD, PERIOD.prompt, text)
    assert (judged.score, judged.outcome, judged.unfinished) == (None, None, True)


@given(thoughts=st.text(alphabet="abc 0123456789.\n", max_size=60), days=st.integers(1, 99))
def test_thoughts_change_no_score(thoughts: str, days: int) -> None:
    """The score with thoughts equals the score of the final answer."""
    answer = f"Within {days} days."
    alone = Rules().judge(PERIOD, PERIOD.prompt, answer)
    for text in (f"<think>{thoughts}</think>{answer}", f"{thoughts}</think>\n{answer}"):
        assert Rules().judge(PERIOD, PERIOD.prompt, text) == alone
