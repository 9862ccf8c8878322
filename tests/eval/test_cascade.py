"""Rules first, and a model for what they are unsure of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from blendtune_api.v1alpha1 import JudgeKind, Role
from blendtune_eval.judging.cascade import Cascade
from blendtune_eval.judging.judge import Case, Judgements, Rules
from blendtune_eval.rubric import Fact, Question
from blendtune_eval.scoring.score import Outcome, WordingScore

ROOF = Question(
    id="roof",
    category="town",
    domain=Role.GENERAL,
    prompt="Of which metal is the roof made?",
    reference="Of copper.",
    criteria=(Fact(name="copper", any_of=("copper",), required=True),),
)
DECIDED = ("Copper.", "Zinc.", "<think>Copper")
UNSURE = ("It is made of coper.", "Kupfer ist das Metall.")


@dataclass
class LenientModel:
    """Takes every answer for right."""

    kind = JudgeKind.OPENAI
    digest = "model"
    asked: list[str] = field(default_factory=list)

    def judge_all(self, cases: Sequence[Case]) -> Judgements:
        self.asked += [case.answer for case in cases]
        right = WordingScore(score=1.0, outcome=Outcome.CORRECT)
        return Judgements(scores=(right,) * len(cases), statement="takes all for right.")


def judged(*answers: str) -> tuple[Judgements, list[str]]:
    model = LenientModel()
    cases = [Case(question=ROOF, wording=ROOF.prompt, answer=answer) for answer in answers]
    return Cascade(Rules(), model).judge_all(cases), model.asked


def test_the_model_is_asked_about_what_the_rules_leave_open_and_nothing_else() -> None:
    judgements, asked = judged(DECIDED[0], UNSURE[0], DECIDED[1], DECIDED[2], UNSURE[1])
    assert asked == list(UNSURE)
    assert [score.score for score in judgements.scores] == [1.0, 1.0, 0.0, None, 1.0]
    assert "rules decided 3 of 5 answers, a model the rest" in judgements.statement


def test_a_model_that_is_not_needed_is_not_asked() -> None:
    judgements, asked = judged(*DECIDED)
    assert asked == []
    assert [score.unfinished for score in judgements.scores] == [False, False, True]


def test_both_judges_are_part_of_the_digest() -> None:
    cascade = Cascade(Rules(), LenientModel())
    assert cascade.digest not in (Rules().digest, LenientModel().digest)
