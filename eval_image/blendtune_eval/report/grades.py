"""A person's grades of answers, beside a report, and how far the judge agrees with them."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blendtune_core.agreement import Agreement, agreement
from blendtune_eval.cache import Grade, Journal
from blendtune_eval.report.model import Report
from blendtune_eval.scoring.score import Outcome

GRADES = "grades.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class GradedAnswer:
    """An answer of a report that a person may grade, and what the judge says of it."""

    key: str
    prompt: str
    reference: str
    answer: str
    respondent: int
    judged_correct: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeAgreement:
    """Of the judge with a person: over all graded answers, and of those that it calls correct and not."""

    overall: Agreement
    correct: Agreement | None
    not_correct: Agreement | None


def grades_of(folder: Path, report: Report) -> Journal[Grade]:
    """The grades beside a report. They belong to its rubric, whoever judges the same answers."""
    return Journal(folder / GRADES, report.rubric.digest, Grade)


def decided_answers(report: Report) -> list[GradedAnswer]:
    """The distinct answers that the judge has decided, in the report's order."""
    found: dict[str, GradedAnswer] = {}
    for question in report.questions:
        for wording in question.wordings:
            for respondent, given in enumerate(wording.answers):
                key = _key(wording.prompt, given.answer)
                if given.outcome is None or key in found:
                    continue
                found[key] = GradedAnswer(
                    key=key,
                    prompt=wording.prompt,
                    reference=question.reference,
                    answer=given.answer,
                    respondent=respondent,
                    judged_correct=given.outcome is Outcome.CORRECT,
                )
    return list(found.values())


def choose(answers: Sequence[GradedAnswer], count: int, seed: int) -> list[GradedAnswer]:
    """A random choice, as equal as may be in what the judge says and in who answers, in random order."""
    draw = random.Random(seed)
    groups: dict[tuple[bool, int], list[GradedAnswer]] = {}
    for answer in draw.sample(answers, len(answers)):
        groups.setdefault((answer.judged_correct, answer.respondent), []).append(answer)
    chosen: list[GradedAnswer] = []
    while len(chosen) < count and any(groups.values()):
        for verdict in (True, False):
            group = max(
                (group for (judged, _), group in sorted(groups.items()) if judged is verdict and group),
                key=len,
                default=None,
            )
            if group is not None and len(chosen) < count:
                chosen.append(group.pop())
    return draw.sample(chosen, len(chosen))


def judge_agreement(report: Report, grades: Mapping[str, bool]) -> JudgeAgreement | None:
    """The judge's agreement with the grades, by key; None where no answer of the report has one."""
    pairs = [
        (answer.judged_correct, grades[answer.key])
        for answer in decided_answers(report)
        if answer.key in grades
    ]
    if not pairs:
        return None
    correct, other = ([pair for pair in pairs if pair[0] is verdict] for verdict in (True, False))
    return JudgeAgreement(
        overall=agreement(pairs),
        correct=agreement(correct) if correct else None,
        not_correct=agreement(other) if other else None,
    )


def _key(prompt: str, answer: str) -> str:
    return hashlib.sha256(json.dumps([prompt, answer]).encode()).hexdigest()
