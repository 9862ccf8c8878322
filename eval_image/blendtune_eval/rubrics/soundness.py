"""Faults of a whole question: criteria that no answer could meet, or that any answer meets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Fact, Forbidden, Question
from blendtune_eval.rules.text import content
from blendtune_eval.scoring.score import Outcome, WordingScore


def unsound(question: Question) -> Iterator[str]:
    """The faults of a question whose fields are valid one by one."""
    names = Counter(criterion.name for criterion in question.criteria)
    yield from (f"the criterion {name} is named {count} times" for name, count in names.items() if count > 1)
    if question.attainable_points <= 0:
        yield "no criterion gives positive points"
        return
    wanted = {_key(alias): alias for c in question.criteria if isinstance(c, Fact) for alias in c.any_of}
    forbidden = {_key(alias) for c in question.criteria if isinstance(c, Forbidden) for alias in c.any_of}
    for key in wanted.keys() & forbidden:
        yield f"{wanted[key]!r} is both asked for and forbidden"
    if len(names) < len(question.criteria):
        return
    for wording in question.wordings:
        scored = Rules().judge(question, wording, question.reference)
        if scored.score != 1.0 or scored.outcome is not Outcome.CORRECT:
            yield f"the reference does not satisfy its own criteria: {_shortfall(question, scored)}"
            return
        repeated = Rules().judge(question, wording, wording)
        if repeated.score:
            yield f"an answer that only repeats {wording!r} gains points: {_gains(question, repeated)}"


def _shortfall(question: Question, scored: WordingScore) -> str:
    missed = (
        f"{verdict.criterion} {verdict.reason}"
        for criterion, verdict in zip(question.criteria, scored.verdicts, strict=True)
        if verdict.met is isinstance(criterion, Forbidden)
    )
    return "; ".join(missed)


def _gains(question: Question, scored: WordingScore) -> str:
    return ", ".join(
        f"{verdict.criterion} ({verdict.reason})"
        for criterion, verdict in zip(question.criteria, scored.verdicts, strict=True)
        if verdict.met and criterion.points > 0
    )


def _key(alias: str) -> tuple[str, ...]:
    return tuple(token.text for token in content(alias))
