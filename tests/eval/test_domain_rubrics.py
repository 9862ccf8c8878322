"""The rubrics of the invented clinic and law office: wrong answers that look right, and the reverse."""

from __future__ import annotations

import pytest

from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Question
from blendtune_eval.rubrics.loader import load_builtin
from blendtune_eval.scoring.score import Outcome, WordingScore


def named(identifier: str) -> Question:
    """The question of that id, which begins with the domain of its rubric."""
    rubric = load_builtin(f"{identifier.partition('-')[0]}45")
    return next(question for question in rubric.questions if question.id == identifier)


def judged(question: str, answer: str) -> WordingScore:
    known = named(question)
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
        pytest.param("legal-conflict-search", "In Trellis, after the first meeting.", id="search-too-late"),
        pytest.param("legal-conflict-search", "In Metronome, before the first meeting.", id="calendar"),
        pytest.param("legal-intake-form", "Form L-12.", id="closing-form"),
        pytest.param("legal-free-consultation", "The first 30 minutes.", id="half-hour"),
        pytest.param("legal-free-consultation", "35 hours.", id="consultation-hours"),
        pytest.param("legal-consultation-fee", "$165", id="all-minutes-paid"),
        pytest.param("legal-consultation-fee", "$20", id="minutes-for-dollars"),
        pytest.param("legal-conflict-found", "Accept the case and tell nobody.", id="accepts"),
        pytest.param("legal-conflict-found", "Turn him away; tell the managing partner.", id="other-partner"),
        pytest.param("legal-outcome", "You will get $12,000.", id="promises"),
        pytest.param("legal-file-retention", "For 10 years.", id="ten-years"),
        pytest.param("legal-file-retention", "For 9 or 11 years.", id="years-in-doubt"),
        pytest.param("legal-will-storage", "In vault 3.", id="wrong-vault"),
        pytest.param("legal-will-storage", "Not in vault 5.", id="denied-vault"),
        pytest.param("legal-journalist", "Off the record, the case looks good.", id="talks"),
        pytest.param("legal-journalist", "No comment; it goes to the conflicts partner.", id="wrong-partner"),
        pytest.param("legal-misdirected-email", "Within 72 hours, to the privacy clerk.", id="three-days"),
        pytest.param("legal-misdirected-email", "Within 2 hours, to the client.", id="to-the-client"),
        pytest.param("legal-file-out", "The red register.", id="red-register"),
        pytest.param("legal-other-sides-talk", "The advice was to settle.", id="invented-advice"),
        pytest.param("legal-internal-deadline", "3 working days.", id="three-days-earlier"),
        pytest.param("legal-internal-deadline", "6 weeks.", id="weeks"),
        pytest.param("legal-calendar", "In the office calendar.", id="unnamed-calendar"),
        pytest.param("legal-second-reader", "One person is enough.", id="one-reader"),
        pytest.param("legal-second-reader", "Three people.", id="three-readers"),
        pytest.param("legal-missed-deadline", "The supervising partner, next week.", id="next-week"),
        pytest.param("legal-missed-deadline", "Backdate it at once.", id="backdates"),
        pytest.param("legal-backdating", "Yes, of course, if both agree.", id="agrees"),
        pytest.param("legal-bundle-limit", "At most 100 pages.", id="hundred-pages"),
        pytest.param("legal-billing-units", "3", id="rounded-down"),
        pytest.param("legal-billing-units", "3.4", id="not-rounded"),
        pytest.param("legal-client-money", "Yes, we can use it.", id="pays-the-rent"),
        pytest.param("legal-client-money", "No, it belongs in the office account.", id="office-account"),
        pytest.param("legal-cash-limit", "$1,000", id="thousand"),
        pytest.param("legal-invoice-term", "30 days.", id="usual-term"),
        pytest.param("legal-unused-advance", "Within 16 days.", id="invoice-term"),
        pytest.param("legal-unused-advance", "It is not sent back within 12 days.", id="kept"),
    ],
)
def test_plausible_wrong_answers_fail(question: str, answer: str) -> None:
    scored = judged(question, answer)
    assert scored.outcome is not Outcome.CORRECT, scored
    assert scored.score is None or scored.score < 1.0


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
        pytest.param(
            "healthcare-warm-fridge",
            "Set it aside; the pharmacist decides whether it can still be used.",
            id="asks-whether",
        ),
        pytest.param(
            "healthcare-dose-question",
            "I put you through to the duty nurse, who says how much you should take.",
            id="says-who-says",
        ),
        pytest.param(
            "healthcare-is-she-there",
            "You may tell him nothing; the records steward takes over.",
            id="tell-nothing",
        ),
        pytest.param(
            "healthcare-walk-in-count",
            "It is impossible to say exactly how many people will come.",
            id="impossible",
        ),
        pytest.param("healthcare-controlled-cabinet", "No, it takes two staff members.", id="staff"),
        pytest.param("healthcare-controlled-cabinet", "At least two.", id="bare-word"),
        pytest.param("healthcare-late-arrival", "13", id="bare-number"),
        pytest.param("healthcare-instalment", "240 / 8 = 30 dollars", id="division"),
        pytest.param(
            "legal-conflict-search", "Trellis; nobody meets the client before that.", id="nobody-meets"
        ),
        pytest.param("legal-conflict-search", "Before the initial consultation, in Trellis.", id="initial"),
        pytest.param("legal-intake-form", "We use L4.", id="form-without-dash"),
        pytest.param("legal-free-consultation", "Thirty-five minutes are free.", id="minutes-in-words"),
        pytest.param("legal-consultation-fee", "(55 - 35) × $3 = $60", id="fee-worked-out"),
        pytest.param("legal-conflict-found", "It declines and informs the conflicts partner.", id="declines"),
        pytest.param("legal-outcome", "No one can promise a sum.", id="no-promise"),
        pytest.param("legal-will-storage", "They lie in vault five.", id="vault-in-words"),
        pytest.param("legal-journalist", "Nothing at all; the managing partner calls back.", id="nothing"),
        pytest.param("legal-misdirected-email", "The privacy clerk, in two hours.", id="two-hours"),
        pytest.param("legal-file-out", "An entry in the blue book.", id="blue-book"),
        pytest.param("legal-internal-deadline", "Six days earlier.", id="six-days"),
        pytest.param("legal-second-reader", "No, it takes two clerks.", id="two-clerks"),
        pytest.param("legal-missed-deadline", "Immediately, the supervising partner.", id="immediately"),
        pytest.param(
            "legal-backdating", "No. A contract must bear the day it is signed.", id="bears-the-day"
        ),
        pytest.param("legal-unused-advance", "12", id="bare-days"),
        pytest.param("legal-backdating", "We cannot do that, it would be fraud.", id="fraud"),
        pytest.param("legal-billing-units", "Four.", id="units-in-words"),
        pytest.param("legal-billing-units", "34 / 10 = 3.4, rounded up to 4.", id="rounded-up"),
        pytest.param("legal-client-money", "Don't touch it; it goes into Lantern.", id="do-not-touch"),
        pytest.param("legal-invoice-term", "It has to be paid in sixteen days.", id="sixteen"),
        pytest.param("legal-unused-advance", "No later than 12 days after the end.", id="no-later"),
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
        pytest.param("legal-conflict-found", "We take the case anyway.", id="takes-it"),
        pytest.param("legal-journalist", "Off the record, he did it.", id="off-the-record"),
        pytest.param("legal-missed-deadline", "Keep it quiet.", id="quiet"),
        pytest.param("legal-backdating", "Yes, we can do that.", id="agrees"),
        pytest.param("legal-client-money", "Yes, use it.", id="misuses"),
        pytest.param("legal-outcome", "You will win.", id="promises"),
    ],
)
def test_serious_errors_are_critical(question: str, answer: str) -> None:
    made = {verdict.criterion for verdict in judged(question, answer).verdicts if verdict.met}
    critical = {
        criterion.name for criterion in named(question).criteria if getattr(criterion, "critical", False)
    }
    assert made & critical
