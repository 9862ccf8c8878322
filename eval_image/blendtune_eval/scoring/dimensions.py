"""The three dimensions: what is measured of each question, and the rates that explain the score.

The paper (arXiv 2310.04945) names reliability, consistency and business impact without defining them. These
definitions are Blendtune's own; DEFINITIONS goes into every report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from blendtune_api.v1alpha1 import Role
from blendtune_eval.scoring.score import Outcome, QuestionScore, WordingScore

RELIABILITY = "reliability"
CONSISTENCY = "consistency"
BUSINESS_IMPACT = "businessImpact"

NOT_ATTEMPTED_CREDIT = 0.5
CRITICAL_ERROR_COST = 1.0

DEFINITIONS = {
    "score": (
        "Of an answer: points achieved / points attainable, clipped to [0, 1]. Of a question: the mean over "
        "its wordings. Of a scope: the mean over its questions, by weight."
    ),
    RELIABILITY: (
        "1 - (wrong + 1/2 not attempted) / n over the canonical wordings. An answer is correct when it meets "
        "every required criterion and makes no forbidden claim."
    ),
    CONSISTENCY: "Share of the questions answered correctly in all of their wordings.",
    BUSINESS_IMPACT: (
        "Mean over the in-domain questions, by weight, of the question's score less 1 where any of its "
        "answers makes a critical error; clipped to [0, 1]. The weights are the rubric's, no forecast "
        "of revenue."
    ),
    "interval": (
        "95%: Wilson's for levels, with the effective number of questions; for differences, paired by "
        "question, those of the gains and of the losses, put together by their variances. It speaks of "
        "questions like these, not of these alone."
    ),
}


def reliability(score: QuestionScore) -> float | None:
    """1 for a correct answer to the canonical wording, 1/2 for none attempted, 0 for a wrong one."""
    match score.wordings[0].outcome:
        case None:
            return None
        case Outcome.CORRECT:
            return 1.0
        case Outcome.NOT_ATTEMPTED:
            return NOT_ATTEMPTED_CREDIT
        case Outcome.WRONG:
            return 0.0


def consistency(score: QuestionScore) -> float | None:
    """1 where every wording was answered correctly, else 0."""
    if score.score is None:
        return None
    return float(all(wording.outcome is Outcome.CORRECT for wording in score.wordings))


def business_impact(score: QuestionScore) -> float | None:
    """The score of an in-domain question less the cost of a critical error, in [-1, 1]; None for others."""
    if score.score is None or score.question.domain is not Role.IN_DOMAIN:
        return None
    return score.score - CRITICAL_ERROR_COST * score.critical_error


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnostics:
    """Counts and rates that explain the dimensions. A rate without a denominator is None."""

    correct: int  # canonical wordings, like the two that follow
    wrong: int
    not_attempted: int
    hallucination_rate: float | None  # wrong / attempted
    over_refusal_rate: float | None  # not attempted / answerable
    correct_abstention_rate: float | None  # correct / questions that expect an abstention
    agreement: float | None  # share of the criteria with the same verdict in two wordings of a question
    worst_wording_score: float | None  # mean over the questions of their lowest score in a wording
    critical_errors: int  # questions


def diagnostics_of(scores: Sequence[QuestionScore]) -> Diagnostics:
    outcomes = [(score.question, score.wordings[0].outcome) for score in scores]
    judged = [(question, outcome) for question, outcome in outcomes if outcome is not None]
    counts = {kind: sum(outcome is kind for _, outcome in judged) for kind in Outcome}
    answerable = [outcome for question, outcome in judged if not question.expects_abstention]
    unanswerable = [outcome for question, outcome in judged if question.expects_abstention]
    scored = [score for score in scores if score.score is not None]
    agreements = [found for score in scored if (found := _agreement(score.wordings)) is not None]
    worst = [min(wording.score or 0.0 for wording in score.wordings) for score in scored]
    return Diagnostics(
        correct=counts[Outcome.CORRECT],
        wrong=counts[Outcome.WRONG],
        not_attempted=counts[Outcome.NOT_ATTEMPTED],
        hallucination_rate=_share(counts[Outcome.WRONG], counts[Outcome.WRONG] + counts[Outcome.CORRECT]),
        over_refusal_rate=_share(answerable.count(Outcome.NOT_ATTEMPTED), len(answerable)),
        correct_abstention_rate=_share(unanswerable.count(Outcome.CORRECT), len(unanswerable)),
        agreement=_share(sum(agreements), len(agreements)),
        worst_wording_score=_share(sum(worst), len(worst)),
        critical_errors=sum(score.critical_error for score in scores),
    )


def _agreement(wordings: Sequence[WordingScore]) -> float | None:
    """Mean over pairs of wordings of the share of criteria with the same verdict; None without a pair."""
    shares = [
        sum(a.met is b.met for a, b in zip(first.verdicts, second.verdicts, strict=True))
        / len(first.verdicts)
        for first, second in combinations(wordings, 2)
    ]
    return _share(sum(shares), len(shares))


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
