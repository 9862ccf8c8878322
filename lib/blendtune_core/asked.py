"""How far an evaluation has asked that may stop once its gates are decided, and what to say of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from blendtune_api.v1alpha1 import AskedQuestions, Gate, GateResult, GateStatus, InterpolationStatus
from blendtune_core.gates import Scores, judge_gates
from blendtune_core.power import critical_of, level_of
from blendtune_core.sequential import LOOKS, ONLY_LOOK, Look, looks


def open_gates(gates: Iterable[Gate], scores: Scores) -> tuple[GateStatus, ...]:
    """The gates on answers that these scores do not decide. Others are judged by what is not asked about."""
    judged = judge_gates([gate for gate in gates if gate.is_on_answers], scores)
    return tuple(gate for gate in judged if gate.result is GateResult.INCONCLUSIVE)


def asked_questions(
    questions: int, of: int, look: Look, open_: Sequence[GateStatus] = ()
) -> AskedQuestions | None:
    """None where there is one look, so that every question is asked."""
    if look == ONLY_LOOK:
        return None
    named = tuple(f"{gate.subject} {gate.rule}" for gate in open_)
    return AskedQuestions(questions=questions, of=of, look=look.number, looks=look.of, open=named)


def look_of(asked: AskedQuestions | None) -> Look:
    return ONLY_LOOK if asked is None else Look(asked.look, asked.looks)


def critical_of_scores(scores: Scores) -> float:
    """The critical value of the intervals of the rubric's scores: they pay for looks and candidates."""
    return look_of(scores.asked).critical(level_of(candidates_among(scores.interpolation)))


def critical_of_others(scores: Scores) -> float:
    """That of the intervals of retention and benchmarks, which have no looks."""
    return critical_of(candidates_among(scores.interpolation))


def candidates_among(interpolation: InterpolationStatus | None) -> int:
    """Of how many models one was taken."""
    return 1 if interpolation is None else len(interpolation.candidates)


def told_asked(asked: AskedQuestions) -> str:
    """How many questions were asked, and why no fewer or no more."""
    if asked.questions < asked.of:
        told = f"{asked.questions:,} of {asked.of:,} questions were asked"
        why = "they decide every gate on a score"
    else:
        told, why = f"all {asked.of:,} questions were asked", "fewer did not decide every gate on a score"
    if asked.open:
        why = f"open on them: {', '.join(asked.open)}"
    return f"{told}; {why} (look {asked.look} of {asked.looks})"


def told_looks(questions: int) -> str:
    """What stopWhenDecided will do with so many questions, before anything runs."""
    counts = ", ".join(f"{count:,}" for count in dict.fromkeys(count for _, count in looks(questions)[:-1]))
    wider = Look(LOOKS).critical() / ONLY_LOOK.critical() - 1
    return (
        f"the tuned model may stop after {counts} of {questions:,} questions; if all are asked, intervals "
        f"are {wider:.0%} wider for the looks"
    )
