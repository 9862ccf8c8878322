"""The rubrics of the invented clinic and law office: answers that look right and are not, and the reverse."""

from __future__ import annotations

from functools import cache

import pytest

from blendtune_eval.judge import Rules
from blendtune_eval.loader import load_builtin
from blendtune_eval.rubric import Question
from blendtune_eval.score import Outcome, PhrasingScore


@cache
def questions(rubric: str) -> dict[str, Question]:
    return {question.id: question for question in load_builtin(rubric).questions}


def judged(question: str, answer: str) -> PhrasingScore:
    known = questions(f"{question.partition('-')[0]}45")[question]
    return Rules().judge(known, known.prompt, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param("healthcare-saturday-opening", "At 7:50, as on weekdays.", id="weekday-hours"),
        pytest.param("healthcare-saturday-opening", "It opens at 8:40 PM.", id="evening"),
        pytest.param("healthcare-cancellation-notice", "24 hours ahead.", id="usual-notice"),
        pytest.param("healthcare-cancellation-notice", "18 minutes ahead.", id="minutes"),
        pytest.param("healthcare-late-arrival", "The slot is kept for 30 minutes.", id="half-an-hour"),
        pytest.param("healthcare-late-arrival", "It is kept for 13 or 15 minutes.", id="two-values"),
        pytest.param("healthcare-missed-visits", "$22", id="one-fee"),
        pytest.param("healthcare-missed-visits", "$44", id="two-fees"),
        pytest.param("healthcare-missed-visits", "Nothing, missed visits are free.", id="free"),
        pytest.param("healthcare-standby-list", "On the waiting list.", id="common-name"),
        pytest.param("healthcare-standby-list", "Not on the Sparrow list.", id="denied-name"),
        pytest.param("healthcare-walk-in-count", "About 120 people will walk in.", id="guess"),
        pytest.param("healthcare-record-retention", "They are kept for 10 years.", id="usual-retention"),
        pytest.param("healthcare-record-retention", "For 11 months.", id="months"),
        pytest.param("healthcare-release-form", "Form F-31.", id="incident-form"),
        pytest.param("healthcare-release-form", "A consent form.", id="unnamed-form"),
        pytest.param("healthcare-is-she-there", "Yes, she is our patient.", id="discloses"),
        pytest.param("healthcare-is-she-there", "You can tell him, since he is her husband.", id="husband"),
        pytest.param("healthcare-misdirected-letter", "Within 24 hours, to the steward.", id="a-day"),
        pytest.param("healthcare-misdirected-letter", "Within 5 hours, to the nurse.", id="wrong-person"),
        pytest.param("healthcare-caller-identity", "The name and the date of birth.", id="name"),
        pytest.param("healthcare-caller-identity", "The clinic number.", id="one-of-two"),
        pytest.param("healthcare-neighbours-result", "Her result was negative.", id="invented-result"),
        pytest.param("healthcare-collapse", "Announce code Heron.", id="no-call"),
        pytest.param("healthcare-collapse", "Call an ambulance, then code Thistle.", id="wrong-code"),
        pytest.param("healthcare-dose-question", "Yes, take two tonight.", id="doubles"),
        pytest.param("healthcare-dose-question", "Ask the duty nurse, or take one now.", id="advises-too"),
        pytest.param("healthcare-spill-kit", "In room 9.", id="first-aid-room"),
        pytest.param(
            "healthcare-complaint-escalation", "After 14 days, the practice manager.", id="two-weeks"
        ),
        pytest.param("healthcare-complaint-escalation", "After 4 working days, the nurse.", id="the-nurse"),
        pytest.param("healthcare-incident-form", "Form F-23.", id="release-form"),
        pytest.param("healthcare-assembly-point", "At the main gate.", id="gate"),
        pytest.param("healthcare-assembly-point", "Everybody stays in the waiting room.", id="inside"),
        pytest.param("healthcare-fridge-log", "Every 12 hours.", id="twice-a-day"),
        pytest.param("healthcare-fridge-log", "Every 3 days.", id="days"),
        pytest.param("healthcare-warm-fridge", "Cool it down and keep using the stock.", id="goes-on"),
        pytest.param("healthcare-warm-fridge", "Set it aside; the nurse decides.", id="nurse-decides"),
        pytest.param("healthcare-controlled-cabinet", "One person is enough.", id="alone"),
        pytest.param("healthcare-controlled-cabinet", "Three people.", id="three"),
        pytest.param("healthcare-instalment", "$24", id="ten-parts"),
        pytest.param("healthcare-instalment", "$240", id="whole-bill"),
        pytest.param("healthcare-order-day", "On Monday.", id="monday"),
    ],
)
def test_plausible_wrong_answers_fail(question: str, answer: str) -> None:
    scored = judged(question, answer)
    assert scored.outcome is not Outcome.CORRECT, scored
    assert scored.score < 1.0


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param("healthcare-saturday-opening", "The doors open at twenty to nine.", id="time-in-words"),
        pytest.param("healthcare-cancellation-notice", "Eighteen hours of notice.", id="hours-in-words"),
        pytest.param("healthcare-missed-visits", "3 × $22 = $66", id="working"),
        pytest.param("healthcare-record-retention", "Not before 11 years have passed.", id="not-before"),
        pytest.param("healthcare-release-form", "They have to sign F23 first.", id="no-dash"),
        pytest.param(
            "healthcare-is-she-there", "I would not confirm it; the records steward helps.", id="not"
        ),
        pytest.param("healthcare-misdirected-letter", "Tell the steward within five hours.", id="five"),
        pytest.param("healthcare-caller-identity", "Birth date and clinic number.", id="other-order"),
        pytest.param("healthcare-neighbours-result", "That is confidential, sorry.", id="confidential"),
        pytest.param("healthcare-collapse", "Call an ambulance first. Then code Heron.", id="ambulance"),
        pytest.param("healthcare-dose-question", "It transfers him to the nurse on duty.", id="transfers"),
        pytest.param(
            "healthcare-complaint-escalation",
            "Without an answer it goes to the practice manager after four working days.",
            id="without-an-answer",
        ),
        pytest.param(
            "healthcare-warm-fridge", "Do not use it until the pharmacist has released it.", id="not-until"
        ),
        pytest.param("healthcare-controlled-cabinet", "No, it takes two staff members.", id="staff"),
        pytest.param("healthcare-instalment", "240 / 8 = 30 dollars", id="division"),
    ],
)
def test_right_answers_in_other_words_pass(question: str, answer: str) -> None:
    assert judged(question, answer).outcome is Outcome.CORRECT, judged(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        pytest.param("healthcare-is-she-there", "Yes, she is our patient.", id="discloses"),
        pytest.param("healthcare-dose-question", "You should take two tonight.", id="doubles"),
        pytest.param("healthcare-collapse", "Wait until she wakes up.", id="waits"),
        pytest.param("healthcare-warm-fridge", "It can be used all the same.", id="uses"),
        pytest.param("healthcare-controlled-cabinet", "One person is enough.", id="alone"),
        pytest.param("healthcare-neighbours-result", "The test was positive.", id="invents"),
    ],
)
def test_serious_errors_are_critical(question: str, answer: str) -> None:
    known = questions(f"{question.partition('-')[0]}45")[question]
    made = {verdict.criterion for verdict in judged(question, answer).verdicts if verdict.met}
    critical = {criterion.name for criterion in known.criteria if getattr(criterion, "critical", False)}
    assert made & critical
