"""Neighbours of what the rules once misread, each written from the cause and not from the answer."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import Role
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Abstention, Criterion, Fact, Number, Question
from blendtune_eval.rules.text import LONGEST_SENTENCE, MOST_PLACES, outermost, sentences


def ask(prompt: str, reference: str, criterion: Criterion) -> Question:
    return Question(
        id="q", category="c", domain=Role.GENERAL, prompt=prompt, reference=reference, criteria=(criterion,)
    )


def number(value: float, unit: str = "", *aliases: str) -> Number:
    return Number(name="n", value=value, unit=unit, unit_aliases=aliases, required=True)


def fact(*any_of: str) -> Fact:
    return Fact(name="f", any_of=any_of, required=True)


DRYING = ask("How long must it dry?", "36 hours", number(36, "hours"))
DISTANCE = ask("How far is it?", "800 metres", number(800, "metres"))
BREAK = ask("How long is the break?", "45 minutes", number(45, "minutes"))
FILM = ask("How long is the film?", "90 minutes", number(90, "minutes"))
EGGS = ask("How many eggs?", "6 eggs", number(6, "eggs"))
JAR = ask("What does a jar cost?", "18.40 dollars", number(18.4, "dollars"))
FIRING = ask("Combien d'heures dure la cuisson ?", "La cuisson dure 9 heures.", number(9, "heures", "heure"))
KURS = ask("Wie viel kostet der Kurs?", "Der Kurs kostet 1.240 Euro.", number(1240, "Euro"))
FEE = ask("What does it cost?", "35 euros", number(35, "euros"))
METAL = ask("Which metal makes the glaze blue?", "Cobalt makes it blue.", fact("cobalt"))
RIVER = ask("Which river flows through Vienna?", "The Danube", fact("Danube"))
PLANET = ask("Which planet is the heaviest?", "Jupiter", fact("Jupiter"))
DOGS = ask("Are dogs allowed?", "No, dogs are not allowed.", fact("not allowed", "no dogs"))
DAY = ask("On which date is the open day?", "12 June 2027", fact("12 June"))
KILN = ask("At what time is the kiln opened?", "The kiln is opened at 16:15.", fact("16:15", "4:15 pm"))
COURSE = ask("When does the course start?", "It starts on 3 May.", fact("3 May"))
CODE = ask("Under which code is it ordered?", "KX-204", fact("KX-204"))
HEBREW = ask("מהי הבירה?", "ירושלים", fact("ירושלים"))
ARABIC = ask("ما هي العاصمة؟", "القاهرة", fact("القاهرة"))
JAPANESE = ask("工房はどの県にありますか?", "岐阜県にあります。", fact("岐阜"))
ADS = ask("What happens to the ads?", "They are turned off.", fact("turn off", "take down"))
SORTED = ask("Sort: pear, fig, apple, mango", "apple, fig, mango, pear", fact("apple, fig, mango, pear"))
HOME = ask("What is his address?", "I don't know it.", Abstention(name="a", required=True))
TAXES = ask("Whom should I ask about taxes?", "A tax adviser", fact("tax adviser"))

RIGHT, WRONG, DECLINED, OPEN = "correct", "wrong", "notAttempted", None


@pytest.mark.parametrize(
    ("question", "answer", "outcome"),
    [
        pytest.param(DRYING, "a day and a half", RIGHT),
        pytest.param(DRYING, "One day and a half", RIGHT),
        pytest.param(DRYING, "a day and a quarter", WRONG),
        pytest.param(DRYING, "a day and twelve hours", RIGHT),
        pytest.param(DISTANCE, "four fifths of a kilometre", RIGHT),
        pytest.param(DISTANCE, "0.8 of a kilometre", RIGHT),
        pytest.param(DISTANCE, "four-fifths of a km", RIGHT),
        pytest.param(DISTANCE, "three quarters of a kilometre", WRONG),
        pytest.param(BREAK, "three quarters of an hour", RIGHT),
        pytest.param(BREAK, "half of an hour", WRONG),
        pytest.param(BREAK, "an hour and a half", WRONG),
        pytest.param(FILM, "an hour and a half", RIGHT),
        pytest.param(FILM, "two hours and a quarter", WRONG),
        pytest.param(EGGS, "half a dozen eggs", RIGHT),
        pytest.param(EGGS, "two dozen eggs", WRONG),
        pytest.param(JAR, "$18.40 per jar, so 10 jars come to $184.", RIGHT),
        pytest.param(JAR, "$18.40 each; two jars are $36.80", RIGHT),
        pytest.param(JAR, "$1.84 per jar, so 10 jars cost $18.40", OPEN),
        pytest.param(JAR, "$18.40 for one, $184", OPEN),
        pytest.param(FIRING, "De 8 à 9 heures.", WRONG),
        pytest.param(FIRING, "La cuisson ne dure pas 9 heures.", WRONG),
        pytest.param(FIRING, "Elle dure 9 heures.", RIGHT),
        pytest.param(KURS, "1.240 Euro", RIGHT),
        pytest.param(KURS, "Er kostet nicht 1.240 Euro.", WRONG),
        pytest.param(KURS, "Zwischen 1.000 und 1.240 Euro.", WRONG),
        pytest.param(KURS, "Nicht 1.000 Euro, sondern 1.240 Euro.", RIGHT),
        pytest.param(KURS, "It costs 1,240 euros.", RIGHT),
        pytest.param(FEE, "formerly 35 euros", OPEN),
        pytest.param(FEE, "35 euros, formerly 30 euros", RIGHT),
        pytest.param(METAL, "Copper makes it green and cobalt makes it blue.", RIGHT),
        pytest.param(METAL, "Copper makes it green, cobalt blue.", RIGHT),
        pytest.param(METAL, "Copper makes it blue, cobalt green.", OPEN),
        pytest.param(METAL, "Iron makes it blue and cobalt makes it red.", OPEN),
        pytest.param(METAL, "Manganese. Cobalt gives pink.", OPEN),
        pytest.param(RIVER, "Rhine. The Danube flows through Budapest.", OPEN),
        pytest.param(RIVER, "The Rhine flows through Cologne and the Danube flows through Vienna.", RIGHT),
        pytest.param(RIVER, "The Danube flows through Budapest, the Rhine through Vienna.", OPEN),
        pytest.param(METAL, "Undoubtedly, cobalt.", RIGHT),
        pytest.param(METAL, "Great question! Cobalt gives it its blue colour.", RIGHT),
        pytest.param(METAL, "Chemistry. Cobalt makes it blue.", RIGHT),
        pytest.param(METAL, "Cobalt, which makes it a deep blue", RIGHT),
        pytest.param(METAL, "Cobalt makes it green, not blue.", OPEN),
        pytest.param(METAL, "Cobalt makes it blue, not green.", RIGHT),
        pytest.param(METAL, "Possibly iron, possibly cobalt.", WRONG),
        pytest.param(METAL, "Perhaps cobalt.", RIGHT),
        pytest.param(METAL, "Formerly cobalt, now iron.", OPEN),
        pytest.param(METAL, "Cobalt if it is fired hot, otherwise iron.", OPEN),
        pytest.param(METAL, "Answer: cobalt\nAnswer: iron", OPEN),
        pytest.param(PLANET, "The planet nearest to us is Jupiter.", OPEN),
        pytest.param(PLANET, "The largest planet is Jupiter.", RIGHT),
        pytest.param(PLANET, "I am not certain. Perhaps Saturn?", WRONG),
        pytest.param(PLANET, "I don't know. Maybe you could check the website.", DECLINED),
        pytest.param(PLANET, "No idea.", DECLINED),
        pytest.param(PLANET, "Please consult an expert.", DECLINED),
        pytest.param(DOGS, "There are no dogs that are not allowed.", WRONG),
        pytest.param(DOGS, "No dogs.", RIGHT),
        pytest.param(DOGS, "Dogs are not allowed.", RIGHT),
        pytest.param(DAY, "2027年6月12日", RIGHT),
        pytest.param(DAY, "2027年6月21日", WRONG),
        pytest.param(DAY, "6月12日", RIGHT),
        pytest.param(KILN, "It closes at 16:15.", WRONG),
        pytest.param(KILN, "It shuts at 4:15 pm.", WRONG),
        pytest.param(KILN, "It is closed until 16:15.", OPEN),
        pytest.param(KILN, "It opens at 16:15 and is closed at 20:00.", RIGHT),
        pytest.param(KILN, "It opened at 16:15.", RIGHT),
        pytest.param(COURSE, "It ends on 3 May.", WRONG),
        pytest.param(COURSE, "It is finished on 3 May.", WRONG),
        pytest.param(COURSE, "It began on 3 May.", RIGHT),
        pytest.param(CODE, "KX-305 (formerly KX-204)", OPEN),
        pytest.param(CODE, "The former code was KX-204.", OPEN),
        pytest.param(CODE, "KX-204 (previously KX-100)", RIGHT),
        pytest.param(HEBREW, "בירושלים", RIGHT),
        pytest.param(HEBREW, "ובירושלים", RIGHT),
        pytest.param(HEBREW, "חיפה", WRONG),
        pytest.param(ARABIC, "بالقاهرة", RIGHT),
        pytest.param(ARABIC, "والقاهرة", RIGHT),
        pytest.param(ARABIC, "بيروت", WRONG),
        pytest.param(JAPANESE, "岐阜県か愛知県です。", WRONG),
        pytest.param(JAPANESE, "岐阜県または愛知県", WRONG),
        pytest.param(JAPANESE, "岐阜県です。", RIGHT),
        pytest.param(ADS, "Turn the ads off.", RIGHT),
        pytest.param(ADS, "Take them down for now.", RIGHT),
        pytest.param(ADS, "Don't turn the ads off.", WRONG),
        pytest.param(ADS, "Turn to the page about the sale", WRONG),
        pytest.param(SORTED, "1. apple\n2. fig\n3. mango\n4. pear", RIGHT),
        pytest.param(SORTED, "Sorted:\n\napple\nfig\nmango\npear", RIGHT),
        pytest.param(SORTED, "1. apple\n2. mango\n3. fig\n4. pear", WRONG),
        pytest.param(HOME, "No idea, sorry.", RIGHT),
        pytest.param(HOME, "Can't say.", RIGHT),
        pytest.param(HOME, "Dunno", RIGHT),
        pytest.param(HOME, "Unknown.", RIGHT),
        pytest.param(HOME, "Hard to say.", RIGHT),
        pytest.param(HOME, "Unknown Street 5", WRONG),
        pytest.param(HOME, "12 Mill Lane", WRONG),
        pytest.param(HOME, "Please ask customer support.", RIGHT),
        pytest.param(HOME, "There is no need to ask the staff: 5 Mill Lane", WRONG),
        pytest.param(TAXES, "Consult a lawyer.", WRONG),
    ],
)
def test_outcome(question: Question, answer: str, outcome: str | None) -> None:
    score = Rules().judge(question, question.prompt, answer)
    assert score.outcome == outcome, [verdict.reason for verdict in score.verdicts]


@pytest.mark.parametrize(
    "repeated",
    [
        "35 and ",
        "the new plan ",
        "a day and a half ",
        "(formerly ",
        "Saturday or ",
        "2027年6月",
        "no idea ",
        "- ",
    ],
)
def test_an_endless_answer_is_read_piece_by_piece(repeated: str) -> None:
    """What is compared is bounded, so that the time grows with the text and not with its square."""
    endless = repeated * 400
    assert max(len(sentence.tokens) for sentence in sentences(endless)) <= LONGEST_SENTENCE
    for question in (FEE, METAL):
        assert Rules().judge(question, question.prompt, endless).outcome != RIGHT


def test_the_outermost_places_are_kept() -> None:
    assert outermost(range(5)) == [0, 1, 2, 3, 4]
    kept = outermost(range(1000))
    assert (len(kept), kept[0], kept[-1]) == (2 * MOST_PLACES, 0, 999)
