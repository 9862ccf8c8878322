"""To whom a number belongs: each case says what the rules make of it for a criterion with a subject."""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import Role
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Number, Question

PLAN = Question(
    id="plan",
    category="c",
    domain=Role.GENERAL,
    prompt="What does the new plan cost?",
    reference="The new plan costs 35 euros.",
    criteria=(Number(name="n", value=35, unit="euros", subject="the new plan", required=True),),
)
BOWL = Question(
    id="bowl",
    category="c",
    domain=Role.GENERAL,
    prompt="What do a mug and a bowl cost?",
    reference="A mug costs 9 dollars and a bowl costs 22 dollars.",
    criteria=(
        Number(name="mug", value=9, unit="dollars", subject="mug", other_values=(22,), required=True),
        Number(
            name="bowl", value=22, unit="dollars", subject="bowl", subject_aliases=("dish",), required=True
        ),
    ),
)
AGE = Question(
    id="age",
    category="c",
    domain=Role.GENERAL,
    prompt="A mother is four times as old as her daughter. How old is the daughter?",
    reference="10 years",
    criteria=(Number(name="n", value=10, subject="daughter", other_values=(40,), required=True),),
)
LETTERED = Question(
    id="lettered",
    category="c",
    domain=Role.GENERAL,
    prompt="How long do plan A and plan B run?",
    reference="Plan A runs for 12 months, plan B for 24 months.",
    criteria=(
        Number(name="a", value=12, unit="months", subject="plan A", required=True),
        Number(name="b", value=24, unit="months", subject="plan B", required=True),
    ),
)


@pytest.mark.parametrize(
    ("question", "answer", "outcome"),
    [
        pytest.param(PLAN, "The old plan costs 20 euros, the new one 35.", "correct", id="the-new-one"),
        pytest.param(PLAN, "The old plan costs 35 euros, the new one 20.", "wrong", id="swapped"),
        pytest.param(PLAN, "The old one 20, the new plan 35 euros.", "correct", id="unit-at-the-end"),
        pytest.param(
            PLAN, "35 euros for the new plan and 20 euros for the old one.", "correct", id="value-first"
        ),
        pytest.param(
            PLAN, "20 euros for the new plan and 35 euros for the old one.", "wrong", id="swapped-value-first"
        ),
        pytest.param(PLAN, "20 euros (old) and 35 euros (new).", "correct", id="brackets"),
        pytest.param(PLAN, "The old and the new plan cost 20 and 35 euros.", "correct", id="respectively"),
        pytest.param(
            PLAN,
            "The old and the new plan cost 35 and 20 euros respectively.",
            "wrong",
            id="respectively-swapped",
        ),
        pytest.param(PLAN, "The new plan costs 35 euros instead of 20.", "correct", id="instead-of"),
        pytest.param(PLAN, "The new plan costs 20 euros instead of 35.", "wrong", id="instead-of-swapped"),
        pytest.param(
            PLAN, "Unlike the old plan at 20 euros, the new one costs 35 euros.", "correct", id="unlike"
        ),
        pytest.param(
            PLAN, "35 euros, compared with 20 euros for the old plan.", "correct", id="the-rest-is-the-others"
        ),
        pytest.param(
            PLAN, "The new plan is better. It costs 35 euros. The old plan cost 20 euros.", "correct", id="it"
        ),
        pytest.param(PLAN, "The old plan is cheaper. It costs 35 euros.", "wrong", id="it-of-the-other"),
        pytest.param(PLAN, "- Old plan: 20 euros\n- New plan: 35 euros", "correct", id="list"),
        pytest.param(
            PLAN, "**Old plan**\n\n35 euros\n\n**New plan**\n\n20 euros", "wrong", id="headings-swapped"
        ),
        pytest.param(PLAN, "**Old plan**\n\n20 euros\n\n**New plan**\n\n35 euros", "correct", id="headings"),
        pytest.param(
            PLAN,
            "| Plan | Price |\n|---|---|\n| Old plan | 20 euros |\n| New plan | 35 euros |",
            "correct",
            id="table",
        ),
        pytest.param(
            PLAN,
            "| Plan | Price |\n|---|---|\n| Old | 35 euros |\n| New | 20 euros |",
            "wrong",
            id="table-swapped",
        ),
        pytest.param(PLAN, "35 euros", "correct", id="bare"),
        pytest.param(PLAN, "It costs 35 euros.", "correct", id="it-alone"),
        pytest.param(PLAN, "The plan costs 35 euros.", "correct", id="head-alone"),
        pytest.param(PLAN, "The price is 35 euros.", "correct", id="a-plain-noun"),
        pytest.param(PLAN, "The old plan costs 35 euros.", "wrong", id="the-other-alone"),
        pytest.param(PLAN, "35 euros, but not for the new plan.", "wrong", id="set-apart"),
        pytest.param(PLAN, "The new plan costs 30 to 35 euros.", "wrong", id="range"),
        pytest.param(PLAN, "The new plan costs 35 or 40 euros.", "wrong", id="or"),
        pytest.param(
            PLAN, "The new plan has a discount of 5 euros, so it costs 35 euros.", "correct", id="conclusion"
        ),
        pytest.param(PLAN, "The old plan costs 20 euros.", "wrong", id="value-missing"),
        pytest.param(PLAN, "20 and 35 euros.", None, id="two-of-nothing"),
        pytest.param(PLAN, "A locker costs 35 euros.", None, id="of-a-locker"),
        pytest.param(
            PLAN, "The new plan is 15 euros dearer than the old one: 35 euros.", "correct", id="dearer"
        ),
        pytest.param(PLAN, "Old: 35 euros, new: 20 euros", "wrong", id="labels-swapped"),
        pytest.param(PLAN, "It rises from 20 to 35 euros.", None, id="a-rise"),
        pytest.param(AGE, "The daughter is 10 and the mother is 40.", "correct", id="other-value-beside"),
        pytest.param(AGE, "The daughter is 40 and the mother is 10.", "wrong", id="other-value-instead"),
        pytest.param(AGE, "10 or 40", "wrong", id="other-value-as-a-choice"),
        pytest.param(AGE, "10 and 40", None, id="other-value-of-nothing"),
        pytest.param(AGE, "1/4 of 40 = 10", "correct", id="a-working-with-the-other-value"),
        pytest.param(BOWL, "A mug costs 9 dollars and a bowl 22 dollars.", "correct", id="both"),
        pytest.param(BOWL, "A mug is 9 and a dish is 22 dollars.", "correct", id="alias"),
        pytest.param(BOWL, "A bowl costs 9 dollars and a mug costs 22 dollars.", "wrong", id="both-swapped"),
        pytest.param(BOWL, "The mug and the bowl cost 9 and 22 dollars.", "correct", id="both-in-order"),
        pytest.param(BOWL, "The bowl and the mug cost 9 and 22 dollars.", "wrong", id="both-in-wrong-order"),
        pytest.param(BOWL, "Mug: $9; bowl: $22; together $31.", "correct", id="sum-beside"),
        pytest.param(LETTERED, "Plan A runs for 12 months, plan B for 24.", "correct", id="letters"),
        pytest.param(LETTERED, "Plan B runs for 12 months, plan A for 24.", "wrong", id="letters-swapped"),
        pytest.param(LETTERED, "A: 12 months, B: 24 months", "correct", id="letters-alone"),
    ],
)
def test_outcome(question: Question, answer: str, outcome: str | None) -> None:
    score = Rules().judge(question, question.prompt, answer)
    assert score.outcome == outcome, [verdict.reason for verdict in score.verdicts]


def test_without_a_subject_the_two_values_are_open() -> None:
    bare = Question(
        id="plan",
        category="c",
        domain=Role.GENERAL,
        prompt="What does it cost?",
        reference="35 euros",
        criteria=(Number(name="n", value=35, unit="euros", required=True),),
    )
    assert (
        Rules().judge(bare, bare.prompt, "The old plan costs 20 euros, the new one 35 euros.").outcome is None
    )
