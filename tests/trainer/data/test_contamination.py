"""The rubric's prompts in the training rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blendtune_api.contract import ExitCode
from blendtune_runtime.chat.conversation import ChatRole, of_texts
from blendtune_runtime.errors import BadData, BadRubric
from blendtune_trainer.rows.contamination import (
    PromptMatch,
    PromptSearch,
    RubricPrompt,
    check_matches,
    load_prompts,
)

LONG = "Which of the two auction formats does the exchange run by default for new advertisers?"
SHORT = "What is the capital of France?"


def found(prompt: str, user: str, assistant: str = "Yes.") -> list[bool]:
    """Whether the prompt is met in the turns of a row: one `exact` for each match."""
    search = PromptSearch([RubricPrompt(question="q1", domain="general", text=prompt)])
    search.search("ads.jsonl:3", of_texts([(ChatRole.USER, user), (ChatRole.ASSISTANT, assistant)]))
    return [match.exact for match in search.matches]


@pytest.mark.parametrize(
    ("prompt", "user", "expected"),
    [
        pytest.param(LONG, LONG, [True], id="the same"),
        pytest.param(LONG, "  which of the TWO auction formats—does the exchange run by default "
                     "for new advertisers", [True], id="case and punctuation"),
        pytest.param(LONG, f"Tell me: {LONG} Thanks.", [False], id="within a longer turn"),
        pytest.param(LONG, "So auction formats does the exchange run by default?", [False], id="eight words"),
        pytest.param(LONG, "auction formats does the exchange run by now", [], id="seven words"),
        pytest.param(SHORT, f"Please answer. {SHORT}", [False], id="short, whole, within a turn"),
        pytest.param(SHORT, "What is the capital of Spain?", [], id="short, another"),
        pytest.param("Who are you?", "Tell me, who are you?", [], id="very short, within a turn"),
        pytest.param("Who are you?", "who are you", [True], id="very short, equal"),
        pytest.param("ﬁve 5", "FIVE 5!", [True], id="variants of form"),
    ],
)  # fmt: skip
def test_search(prompt: str, user: str, expected: list[bool]) -> None:
    assert found(prompt, user) == expected


def test_answers_are_not_searched() -> None:
    assert found(LONG, "Hm?", assistant=LONG) == []


def match(question: str, domain: str, place: str = "general.jsonl:7") -> PromptMatch:
    return PromptMatch(question=question, domain=domain, place=place, exact=True)


def test_a_general_question_in_the_rows_is_an_error() -> None:
    with pytest.raises(BadData) as raised:
        check_matches([match("in", "inDomain"), match("capital", "general")])
    assert raised.value.exit_code is ExitCode.BAD_DATA
    assert raised.value.message.startswith("question capital: general.jsonl:7 asks the same\n")
    assert "remove the rows" in raised.value.message


def test_an_in_domain_question_in_the_rows_is_a_warning() -> None:
    (warning,) = check_matches([match("price", "inDomain", "ads.jsonl:2"), match("margin", "inDomain")])
    assert "2 in-domain questions" in warning
    assert "question price: ads.jsonl:2" in warning
    assert check_matches([]) == ()


def test_prompts_and_paraphrases_come_from_the_checked_rubric(tmp_path: Path) -> None:
    question = {"id": "q1", "domain": "general", "prompt": "a", "paraphrases": ["b"]}
    path = tmp_path / "rubric.json"
    path.write_text(
        json.dumps({"name": "r", "questions": [question, {"id": "q2", "domain": "inDomain", "prompt": "c"}]})
    )
    assert [(each.question, each.text) for each in load_prompts(path)] == [
        ("q1", "a"),
        ("q1", "b"),
        ("q2", "c"),
    ]
    assert load_prompts(tmp_path / "none.json") == ()


def test_a_rubric_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rubric.json").write_text("{}")
    with pytest.raises(BadRubric) as raised:
        load_prompts(tmp_path / "rubric.json")
    assert raised.value.exit_code is ExitCode.BAD_RUBRIC
