"""How often the rules agree with grades that were given by reading: see the heads of known_answers/*.yaml."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Question, Rubric
from blendtune_eval.rubrics.loader import load_builtin, load_file
from blendtune_eval.scoring.score import WordingScore

KNOWN_ANSWERS = Path(__file__).parent / "known_answers"
HALVES = ("tuning", "frozen")
BUILTIN = "business45"
SUITES = {  # prefix of the files and the rubric that they answer; the last two were written by an examiner
    "": BUILTIN,
    "forms-": "forms.yaml",
    "examined-": BUILTIN,
    "studio-": "studio.yaml",
}
FILES = [f"{suite}{half}" for suite in SUITES for half in HALVES]
LEAST_AGREEMENT = 0.97
LEAST_DECIDED = 0.85
LARGE_KIND = 10  # answers; a kind with as many must agree by itself
LEAST_HALF = 90  # answers
UNDECIDED = "unsure"  # no reader can decide


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
    why: str = ""

    @property
    def half(self) -> str:
        """The draw that decided which half the answer is in."""
        drawn = hashlib.sha256(f"20231007:{self.question}:{self.wording}:{self.answer}".encode()).digest()
        return HALVES[drawn[0] % 2]


@dataclass(frozen=True)
class Judged:
    """A known answer with what the rules say. `differing`: criteria that they see in another way."""

    known: KnownAnswer
    score: WordingScore

    @property
    def outcome(self) -> str:
        return self.score.outcome or UNDECIDED

    @property
    def decided(self) -> bool:
        return self.score.outcome is not None

    @property
    def agrees(self) -> bool:
        return self.outcome == self.known.outcome

    @property
    def differing(self) -> list[str]:
        return [
            f"{verdict.criterion}: {verdict.reason}"
            for verdict in self.score.verdicts
            if verdict.met is not (verdict.criterion in self.known.met)
        ]


@pytest.fixture(scope="module")
def rubrics() -> dict[str, Rubric]:
    return {
        suite: load_builtin(name) if name == BUILTIN else load_file(KNOWN_ANSWERS / name)
        for suite, name in SUITES.items()
    }


@pytest.fixture(scope="module")
def judged(rubrics: dict[str, Rubric]) -> dict[str, list[Judged]]:
    return {
        file: [
            Judged(known, _judge(known, rubrics[_suite(file)].question(known.question)))
            for known in known_answers(file)
        ]
        for file in FILES
    }


def known_answers(file: str) -> list[KnownAnswer]:
    entries = yaml.safe_load((KNOWN_ANSWERS / f"{file}.yaml").read_text(encoding="utf-8"))
    return [KnownAnswer(**entry | {"met": tuple(entry["met"])}) for entry in entries]


def _suite(file: str) -> str:
    return file.removesuffix(next(half for half in HALVES if file.endswith(half)))


def _judge(known: KnownAnswer, question: Question) -> WordingScore:
    return Rules().judge(question, question.wordings[known.wording], known.answer)


@pytest.mark.parametrize("file", FILES)
def test_agreement(file: str, judged: dict[str, list[Judged]], capsys: pytest.CaptureFixture[str]) -> None:
    """Of the answers that the rules decide: on outcomes, and on (answer, criterion) pairs."""
    answers = judged[file]
    decided = [each for each in answers if each.decided]
    right = sum(each.agrees for each in decided)
    criteria = sum(len(each.score.verdicts) for each in decided)
    agreed = criteria - sum(len(each.differing) for each in decided)
    with capsys.disabled():
        print(
            f"\n{file}: {len(decided)} of {len(answers)} decided, {len(decided) / len(answers):.1%};", end=" "
        )
        print(f"outcomes agree in {right}, {right / len(decided):.1%};", end=" ")
        print(f"criteria in {agreed} of {criteria}, {agreed / criteria:.1%}")
        print("\n".join(_miss(each) for each in decided if not each.agrees or each.differing))
    assert len(decided) >= LEAST_DECIDED * len(answers)
    assert right >= LEAST_AGREEMENT * len(decided)
    assert agreed >= LEAST_AGREEMENT * criteria


def test_agreement_by_kind(judged: dict[str, list[Judged]], capsys: pytest.CaptureFixture[str]) -> None:
    """`open`: answers that no reader can decide either."""
    kinds: dict[str, list[Judged]] = defaultdict(list)
    for answers in judged.values():
        for each in answers:
            kinds[each.known.kind].append(each)
    with capsys.disabled():
        print(f"\n{'kind':20} {'answers':>7} {'open':>5} {'decided':>7} {'agree':>6}")
        for kind, answers in sorted(kinds.items()):
            decided = [each for each in answers if each.decided]
            open_ones = sum(each.known.outcome == UNDECIDED for each in answers)
            agreed = sum(each.agrees for each in decided)
            print(f"{kind:20} {len(answers):7} {open_ones:5} {len(decided):7} {agreed:6}")
    for kind, answers in kinds.items():
        decidable = [each for each in answers if each.known.outcome != UNDECIDED]
        decided = [each for each in decidable if each.decided]
        if len(decidable) >= LARGE_KIND:
            assert sum(each.agrees for each in decided) >= LEAST_AGREEMENT * len(decided), kind
            assert len(decided) >= LEAST_DECIDED * len(decidable), kind


def test_what_no_reader_can_decide_is_left_open(judged: dict[str, list[Judged]]) -> None:
    open_ones = [each for answers in judged.values() for each in answers if each.known.outcome == UNDECIDED]
    assert open_ones
    assert [each.known.answer for each in open_ones if each.decided] == []


def test_small_models_answers_are_decided(judged: dict[str, list[Judged]]) -> None:
    """A verdict needs scores: at least 19 of 20 answers of a small model must get one."""
    model = [each for answers in judged.values() for each in answers if each.known.origin == "model"]
    assert sum(each.decided for each in model) >= 0.95 * len(model)


def _miss(judged: Judged) -> str:
    known = judged.known
    text = " ".join(known.answer.split())
    shown = text if len(text) <= 100 else f"{text[:97]}..."
    why = f" ({known.why})" if known.why else ""
    return (
        f"  {known.question}/{known.wording} “{shown}” graded {known.outcome}{why}, "
        f"judged {judged.outcome}; {'; '.join(judged.differing)}"
    )


@pytest.mark.parametrize("suite", SUITES)
def test_the_suite_is_whole(suite: str, rubrics: dict[str, Rubric]) -> None:
    halves = {half: known_answers(f"{suite}{half}") for half in HALVES}
    answers = [known for half in HALVES for known in halves[half]]
    questions = {question.id: question for question in rubrics[suite].questions}
    assert min(len(known) for known in halves.values()) >= LEAST_HALF
    assert len({(known.question, known.wording, known.answer) for known in answers}) == len(answers)
    for known in answers:
        assert set(known.met) <= {criterion.name for criterion in questions[known.question].criteria}
    assert questions.keys() >= {known.question for known in answers}


def test_enough_answers_of_a_model() -> None:
    origins: Sequence[str] = [known.origin for half in HALVES for known in known_answers(half)]
    assert min(Counter(origins).values()) >= 100


@pytest.mark.parametrize("file", FILES)
def test_chance_drew_the_halves(file: str) -> None:
    assert {known.half for known in known_answers(file)} == {file.removeprefix(_suite(file))}
