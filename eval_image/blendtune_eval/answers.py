"""What belongs to each answer (the answer itself, its score), by model, question and wording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from blendtune_eval.answering.subjects import Subject
from blendtune_eval.cache import GivenAnswer
from blendtune_eval.rubric import Question, Rubric
from blendtune_eval.scoring.score import QuestionScore, WordingScore

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """Which answer: `wording` 0 is the canonical one."""

    model: Subject
    question: str  # its id
    wording: int


@dataclass(frozen=True, slots=True)
class ByWording(Generic[T]):
    """One value for each model, question and wording."""

    _values: Mapping[Subject, Mapping[str, tuple[T, ...]]]

    @classmethod
    def of(cls, rubric: Rubric, by_model: Mapping[Subject, Sequence[T]]) -> ByWording[T]:
        """From the values of each model, in the order of `rubric.wordings`.

        Raises ValueError where a model has more or fewer values than there are wordings.
        """
        return cls._grouped(
            (model, question.id, value)
            for model, values in by_model.items()
            for (question, _), value in zip(rubric.wordings, values, strict=True)
        )

    @classmethod
    def _grouped(cls, items: Iterable[tuple[Subject, str, T]]) -> ByWording[T]:
        """From (model, question, value), with the wordings of a question in their order."""
        grouped: dict[Subject, dict[str, tuple[T, ...]]] = {}
        for model, question, value in items:
            questions = grouped.setdefault(model, {})
            questions[question] = (*questions.get(question, ()), value)
        return cls(grouped)

    def __getitem__(self, key: AnswerKey) -> T:
        return self._values[key.model][key.question][key.wording]

    def has(self, question: str) -> bool:
        """Whether the models were asked the question of this id."""
        return all(question in questions for questions in self._values.values())

    def wordings(self, model: Subject, question: str) -> tuple[T, ...]:
        """The values of a question's wordings, the canonical one first."""
        return self._values[model][question]

    def of_model(self, model: Subject) -> tuple[T, ...]:
        """All values of a model, question by question."""
        return tuple(value for wordings in self._values[model].values() for value in wordings)

    def items(self) -> Iterator[tuple[AnswerKey, T]]:
        """Every value with its key, model by model and question by question."""
        for model, questions in self._values.items():
            for question, wordings in questions.items():
                for wording, value in enumerate(wordings):
                    yield AnswerKey(model, question, wording), value

    def values(self) -> tuple[T, ...]:
        """Every value, in the order of `items`."""
        return tuple(value for _, value in self.items())

    def map(self, function: Callable[[AnswerKey, T], U]) -> ByWording[U]:
        """What `function` makes of each value, at the same keys."""
        return self.with_values([function(key, value) for key, value in self.items()])

    def with_values(self, values: Sequence[U]) -> ByWording[U]:
        """Other values at the same keys, given in the order of `items`.

        Raises ValueError where there are more or fewer values than keys.
        """
        return ByWording._grouped(
            (key.model, key.question, value) for (key, _), value in zip(self.items(), values, strict=True)
        )


Answers: TypeAlias = ByWording[GivenAnswer]
Scores: TypeAlias = ByWording[WordingScore]


def question_score(question: Question, scores: Scores, model: Subject) -> QuestionScore:
    return QuestionScore(question=question, wordings=scores.wordings(model, question.id))


def question_scores(rubric: Rubric, scores: Scores, model: Subject) -> tuple[QuestionScore, ...]:
    """A model's scores of what was asked, question by question in the rubric's order."""
    return tuple(
        question_score(question, scores, model) for question in rubric.questions if scores.has(question.id)
    )
