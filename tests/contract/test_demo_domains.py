"""The demo's other domains: what the rubric asks stands in the handbook and in the rows, in other words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from blendtune_api.v1alpha1 import BlendedFineTune, Role
from blendtune_core.builtin_rubrics import builtin_counts
from blendtune_core.power import unresolved
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Question, Rubric
from blendtune_eval.rubrics.loader import load_builtin
from blendtune_eval.scoring.score import Outcome, WordingScore
from blendtune_operator.cli.manifest import load
from blendtune_operator.local.settings import local_settings
from blendtune_operator.plan.supported import refusals
from blendtune_runtime.chat.conversation import Conversation
from blendtune_trainer.rows.contamination import PromptSearch, load_prompts
from blendtune_trainer.rows.conversations import to_conversation

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo"
DOMAINS = ("healthcare", "legal")
LEAST_WORDINGS = 5  # of one fact in the rows

domains = pytest.mark.parametrize("domain", DOMAINS)
asked = pytest.mark.parametrize(
    ("domain", "question"),
    [
        pytest.param(domain, question, id=question.id)
        for domain in DOMAINS
        for question in load_builtin(f"{domain}45").questions
        if question.domain is Role.IN_DOMAIN
    ],
)


@cache
def rows(path: Path) -> tuple[Conversation, ...]:
    return tuple(to_conversation(json.loads(line)) for line in path.read_text().splitlines())


def exchanges(domain: str) -> Iterator[tuple[str, str]]:
    """The questions of the handbook's rows, each with its answer."""
    for row in rows(DEMO / domain / "handbook.jsonl"):
        turns = [message.content for message in row.messages]
        yield from zip(turns[::2], turns[1::2], strict=True)


def rules(domain: str) -> list[str]:
    """The items of the handbook, each on one line."""
    text = (DEMO / domain / "handbook.md").read_text().replace("\n  ", " ")
    return [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]


def judged(question: Question, prompt: str, answer: str) -> WordingScore:
    return Rules().judge(question, prompt, answer)


@domains
def test_forty_five_questions_in_eight_categories_share_the_general_ones(domain: str) -> None:
    def general(source: Rubric) -> list[Question]:
        return [question for question in source.questions if question.domain is Role.GENERAL]

    ours = load_builtin(f"{domain}45")
    assert (len(ours.questions), len(ours.categories)) == (45, 8)
    assert {question.category for question in ours.questions} == {
        category.name for category in ours.categories
    }
    assert general(ours) == general(load_builtin("business45"))
    assert all(len(question.paraphrases) == 2 for question in ours.questions)


@asked
def test_the_handbook_states_what_is_asked(domain: str, question: Question) -> None:
    scores = [judged(question, question.prompt, rule) for rule in rules(domain)]
    assert any(score.outcome is Outcome.CORRECT for score in scores)


@asked
def test_the_rows_teach_what_is_asked_in_other_words(domain: str, question: Question) -> None:
    teaching = {
        prompt
        for prompt, answer in exchanges(domain)
        if judged(question, prompt, answer).outcome is Outcome.CORRECT
    }
    assert len(teaching - set(question.wordings)) >= LEAST_WORDINGS


@domains
def test_no_question_is_in_the_training_rows(domain: str, tmp_path: Path) -> None:
    (tmp_path / "rubric.json").write_text(json.dumps(load_builtin(f"{domain}45").as_json()))
    search = PromptSearch(load_prompts(tmp_path / "rubric.json"))
    for path in (DEMO / domain / "handbook.jsonl", DEMO / "data" / "general.jsonl"):
        for number, row in enumerate(rows(path), 1):
            search.search(f"{path.name}:{number}", row)
    assert search.matches == ()


@domains
@pytest.mark.parametrize("arm", ["blend", "domain-only"])
def test_the_manifest_is_accepted_with_gates_that_can_decide(domain: str, arm: str) -> None:
    (run,) = load([DEMO / domain / f"{arm}.yaml"], complete=False).objects
    assert isinstance(run, BlendedFineTune)
    assert run.spec.evaluation.rubric.builtin == f"{domain}45"
    assert refusals(run, local_settings()) == ()
    counts = builtin_counts(f"{domain}45")
    assert counts is not None
    assert unresolved(run.spec.evaluation.gates, counts, "gates") == ()
    assert all(Path(source.uri.removeprefix("file://")).is_file() for source in run.spec.blend.sources)
