"""How often the rules agree with grades that were given by reading: see the heads of known_answers/*.yaml."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Question
from blendtune_eval.rubrics.loader import load_builtin
from blendtune_eval.scoring.score import WordingScore

KNOWN_ANSWERS = Path(__file__).parent / "known_answers"
HALVES = ("tuning", "frozen")
LEAST_AGREEMENT = 0.95
KINDS = {
    "empty", "forbidden", "hedged", "language", "model", "negation", "number-words", "paraphrase", "quote",
    "refusal", "truncated", "units", "wrong-number",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class KnownAnswer:
    """An answer and the grade that it got by reading."""

    question: str
    wording: int
    origin: str
    kind: str
    answer: str
    outcome: str
    met: tuple[str, ...]
    why: str

    @property
    def half(self) -> str:
        """The draw that decided which half the answer is in."""
        drawn = hashlib.sha256(f"20231007:{self.question}:{self.wording}:{self.answer}".encode()).digest()
        return HALVES[drawn[0] % 2]


@pytest.fixture(scope="module")
def questions() -> dict[str, Question]:
    return {question.id: question for question in load_builtin("business45").questions}


def known_answers(half: str) -> list[KnownAnswer]:
    entries = yaml.safe_load((KNOWN_ANSWERS / f"{half}.yaml").read_text(encoding="utf-8"))
    return [KnownAnswer(**entry | {"met": tuple(entry["met"])}) for entry in entries]


def judged(known: KnownAnswer, question: Question) -> WordingScore:
    return Rules().judge(question, question.wordings[known.wording], known.answer)


@pytest.mark.parametrize("half", HALVES)
def test_agreement(half: str, questions: dict[str, Question], capsys: pytest.CaptureFixture[str]) -> None:
    """On outcomes, and on criteria: of all (answer, criterion) pairs, those judged as they were graded."""
    answers = known_answers(half)
    misses: list[str] = []
    right = criteria = agreed = 0
    for known in answers:
        score = judged(known, questions[known.question])
        differing = [v for v in score.verdicts if v.met is not (v.criterion in known.met)]
        criteria += len(score.verdicts)
        agreed += len(score.verdicts) - len(differing)
        right += score.outcome == known.outcome
        if score.outcome != known.outcome or differing:
            misses.append(_miss(known, score, [f"{v.criterion}: {v.reason}" for v in differing]))
    with capsys.disabled():
        print(f"\n{half}: outcomes agree in {right} of {len(answers)}, {right / len(answers):.1%};", end=" ")
        print(f"criteria in {agreed} of {criteria}, {agreed / criteria:.1%}")
        print("\n".join(misses))
    assert right >= LEAST_AGREEMENT * len(answers)
    assert agreed >= LEAST_AGREEMENT * criteria


def _miss(known: KnownAnswer, score: WordingScore, differing: Sequence[str]) -> str:
    text = " ".join(known.answer.split())
    shown = text if len(text) <= 100 else f"{text[:97]}..."
    return (
        f"  {known.question}/{known.wording} “{shown}” graded {known.outcome} ({known.why}), "
        f"judged {score.outcome}; {'; '.join(differing)}"
    )


def test_the_suite_is_whole(questions: dict[str, Question]) -> None:
    halves = {half: known_answers(half) for half in HALVES}
    answers = [known for half in HALVES for known in halves[half]]
    origins = Counter(known.origin for known in answers)
    assert min(origins["model"], origins["hand"]) >= 100
    assert min(len(known) for known in halves.values()) >= 100
    assert {known.kind for known in answers} == KINDS
    assert len({(known.question, known.wording, known.answer) for known in answers}) == len(answers)
    for known in answers:
        assert set(known.met) <= {criterion.name for criterion in questions[known.question].criteria}
    assert questions.keys() == {known.question for known in answers}


@pytest.mark.parametrize("half", HALVES)
def test_chance_drew_the_halves(half: str) -> None:
    assert {known.half for known in known_answers(half)} == {half}
