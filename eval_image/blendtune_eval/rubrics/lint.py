"""Warnings about what is valid in a rubric, and probably not what its author wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations

from blendtune_eval.rubric import Number, Question, Rubric
from blendtune_eval.rubrics.entries import Fault
from blendtune_eval.rubrics.wordings import wording_content
from blendtune_eval.rules.ownership import numbers_of, subject_phrases
from blendtune_eval.rules.text import content
from blendtune_eval.rules.units import stem

FEWEST_QUESTIONS = 6  # of 5 paired differences, all of one sign, the two-sided sign-flip p is 2/2^5 = 0.0625
NEAR_DUPLICATE = 0.8  # share of words in common, Jaccard


def warnings(rubric: Rubric, lines: Mapping[str, int]) -> list[Fault]:
    """The warnings, in the order of the file. `lines` has the line of each question by its id."""
    found = [*_too_few(rubric), *_near_duplicates(rubric, lines)]
    for question in rubric.questions:
        found += [
            Fault(lines.get(question.id, 0), f"question {question.id}", text)
            for text in _of_question(question)
        ]
    return sorted(found)


def _of_question(question: Question) -> Iterator[str]:
    if not question.paraphrases:
        yield "has no paraphrases: its consistency cannot be seen"
    for criterion in question.criteria:
        if isinstance(criterion, Number) and not criterion.unit:
            yield f"the number {criterion.name} has no unit: {criterion.value:g} of anything meets it"
    for number in numbers_of(question):
        if number.subject and not _known_subject(number, question):
            yield f"nothing in the question or its reference is called {number.subject!r}, its subject"


def _known_subject(number: Number, question: Question) -> bool:
    """Whether a word of one of the subject's names occurs where an answer would take it from."""
    said = {stem(token.text) for text in (*question.wordings, question.reference) for token in content(text)}
    return any(not said.isdisjoint(phrase) for phrase in subject_phrases(number))


def _too_few(rubric: Rubric) -> Iterator[Fault]:
    groups = {
        "category": Counter(question.category for question in rubric.questions),
        "domain": Counter(question.domain.value for question in rubric.questions),
    }
    for category in rubric.categories:
        if not groups["category"][category.name]:
            yield Fault(0, f"category {category.name}", "has no question")
    for what, counts in groups.items():
        for name, count in counts.items():
            if count < FEWEST_QUESTIONS:
                message = (
                    f"{count} questions can show no difference between two models, {FEWEST_QUESTIONS} "
                    f"can{'; a category only describes' if what == 'category' else ''}"
                )
                yield Fault(0, f"{what} {name}", message)


def _near_duplicates(rubric: Rubric, lines: Mapping[str, int]) -> Iterator[Fault]:
    worded = [
        (question, {token.text for token in wording_content(question.prompt)})
        for question in rubric.questions
    ]
    for (one, words), (other, other_words) in combinations(worded, 2):
        shared = len(words & other_words) / max(1, len(words | other_words))
        if shared >= NEAR_DUPLICATE:
            message = f"the prompt shares {shared:.0%} of its words with question {one.id}"
            yield Fault(lines.get(other.id, 0), f"question {other.id}", message)
