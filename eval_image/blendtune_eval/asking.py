"""Asks the models of an evaluation: every question or, where it may, until the gates are decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from blendtune_core.asked import open_gates
from blendtune_core.asking_order import balanced_order
from blendtune_core.sequential import ONLY_LOOK, Look, looks
from blendtune_eval.answering.engines import ANSWER_ROUNDS
from blendtune_eval.answering.progress import AnswerProgress
from blendtune_eval.answering.prompts import Prompt, longest
from blendtune_eval.answering.subjects import Subject
from blendtune_eval.answers import AnswerKey, Answers, ByWording, question_scores
from blendtune_eval.cache import AnswerCache, GivenAnswer
from blendtune_eval.evaluation import Evaluation
from blendtune_eval.judging.judge import Case
from blendtune_eval.rubric import Rubric
from blendtune_eval.scoring.analyse import analyse


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The answers of all models to the questions that all of them were asked, and the look at which it ended.

    `baseline` are the baseline's answers to every wording of the rubric; empty without one.
    """

    answers: Answers
    look: Look
    baseline: Sequence[GivenAnswer]


def ask(evaluation: Evaluation) -> Asked:
    """Asks each model the questions in each of their wordings.

    Where the evaluation may stop early, the baseline is asked everything first, once: only one model is in
    memory at a time, and its answers serve later runs. The model is then asked part by part, and earlier
    epochs what it was asked.
    """
    caches = {model: _cache(evaluation, model) for model in evaluation.subjects}
    progress = _Progress(evaluation)
    every, look = range(len(evaluation.rubric.questions)), ONLY_LOOK
    asked: Sequence[int] = every
    if not evaluation.config.spec.stop_when_decided:
        for model in evaluation.subjects:
            _answer(evaluation, model, [every], caches[model], progress)
    else:
        if evaluation.baseline is not None:
            _answer(evaluation, evaluation.baseline, [every], caches[evaluation.baseline], progress)
        parts = _Parts(evaluation, caches)
        _answer(evaluation, evaluation.model, parts, caches[evaluation.model], progress)
        asked, look = parts.asked, parts.look
        for earlier in evaluation.epochs:
            _answer(evaluation, earlier.subject, [asked], caches[earlier.subject], progress)
    baseline = evaluation.baseline
    return Asked(
        answers=_given(evaluation, caches, asked),
        look=look,
        baseline=()
        if baseline is None
        else caches[baseline].all_of(each.digest for each in baseline.prompts),
    )


def cases_of(rubric: Rubric, answers: Answers) -> ByWording[Case]:
    """The answers with what they are judged by."""

    def case(key: AnswerKey, answer: GivenAnswer) -> Case:
        question = rubric.question(key.question)
        return Case(question=question, wording=question.wordings[key.wording], answer=answer.text)

    return answers.map(case)


class _Parts:
    """The questions of each part, as places in the rubric, until a look at the answers decides every gate.

    Everything follows from the answers in the caches: an evaluation that was cut off stops at the same look.
    """

    def __init__(self, evaluation: Evaluation, caches: Mapping[Subject, AnswerCache]) -> None:
        self._evaluation = evaluation
        self._caches = {model: caches[model] for model in evaluation.compared}
        self.asked: Sequence[int] = ()
        self.look = ONLY_LOOK

    def __iter__(self) -> Iterator[Sequence[int]]:
        order = balanced_order([question.category for question in self._evaluation.rubric.questions])
        for look, count in looks(len(order)):
            yield order[len(self.asked) : count]
            self.asked, self.look = order[:count], look
            if count and self._is_decided():
                return

    def _is_decided(self) -> bool:
        evaluation = self._evaluation
        cases = cases_of(evaluation.rubric, _given(evaluation, self._caches, self.asked))
        scores = cases.with_values(evaluation.judge.judge_all(cases.values()).scores)
        by_model = [question_scores(evaluation.rubric, scores, model) for model in evaluation.compared]
        result = analyse(
            evaluation.rubric.categories,
            *by_model,
            not_compared=evaluation.not_compared,
            look=self.look,
        )
        left = open_gates(evaluation.config.spec.gates, result)
        count, of = len(self.asked), len(evaluation.rubric.questions)
        told = ", ".join(f"{gate.subject} {gate.rule}" for gate in left) or "none"
        print(f"after {count} of {of} questions, gates that are open: {told}", flush=True)
        return not left


class _Progress:
    """The progress over all models, one after the other."""

    def __init__(self, evaluation: Evaluation) -> None:
        total = sum(len(model.prompts) for model in evaluation.subjects)
        self._reported = AnswerProgress(evaluation.place.evaluation, total)
        self._before = self._done = 0

    def of(self, model: Subject) -> Callable[[int], None]:
        def report(done: int) -> None:
            self._done = done
            self._reported.report(self._before + done, model.label)

        return report

    def finish(self, model: Subject) -> None:
        """What was not asked of the model will not be."""
        self._before, left, self._done = self._before + self._done, len(model.prompts) - self._done, 0
        if left:
            self._reported.skip(left)
            self._reported.report(self._before, model.label)


def _answer(
    evaluation: Evaluation,
    model: Subject,
    parts: Iterable[Sequence[int]],
    cache: AnswerCache,
    progress: _Progress,
) -> None:
    """Leaves the model's answers to the questions of each part in its cache."""
    spec = evaluation.config.spec
    prompts = _prompts(evaluation.rubric, model)
    ANSWER_ROUNDS[spec.engine](
        model.checkpoint.folder,
        ([prompt for index in part for prompt in prompts[index]] for part in parts),
        longest(model.prompts),
        model.chat,
        model.decoding,
        cache,
        spec.cluster.gpus,
        progress.of(model),
    )
    progress.finish(model)


def _prompts(rubric: Rubric, model: Subject) -> list[list[Prompt]]:
    """The prompts of each question's wordings, in the rubric's order."""
    following = iter(model.prompts)
    return [[next(following) for _ in question.wordings] for question in rubric.questions]


def _given(evaluation: Evaluation, caches: Mapping[Subject, AnswerCache], asked: Iterable[int]) -> Answers:
    """The answers of each model to these questions."""
    places = sorted(asked)
    part = evaluation.rubric.part(places)
    by_model = {}
    for model, cache in caches.items():
        prompts = _prompts(evaluation.rubric, model)
        by_model[model] = cache.all_of(prompt.digest for index in places for prompt in prompts[index])
    return ByWording.of(part, by_model)


def _cache(evaluation: Evaluation, model: Subject) -> AnswerCache:
    return AnswerCache(evaluation.answers_folder, model.checkpoint.digest, model.decoding.digest)
