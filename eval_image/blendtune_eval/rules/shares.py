"""Whether a number between 0 and 1 is stated as a share of something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blendtune_eval.rules.claims import Answer
from blendtune_eval.rules.quantities import Quantity
from blendtune_eval.rules.text import content, word_at, words

_PERCENT = words("% percent percentage cent")


@dataclass(frozen=True, slots=True)
class Stated:
    """A number of an answer's sentence."""

    sentence: int
    quantity: Quantity


def is_fraction(right: Sequence[Stated], answer: Answer) -> bool:
    """Whether the share is said to be one: "1/4", "0.25 of the fee", "0.0225, or 2.25%".

    Alone it is, unless percent are asked for.
    """
    if (
        not answer.words
        and len(right) == 1
        and not _PERCENT.intersection(t.text for t in content(answer.wording))
    ):
        return True
    for each in right:
        tokens = answer.own[each.sentence].tokens
        following = word_at(tokens, each.quantity.end)
        if (
            "/" in tokens[each.quantity.start].text
            or following == "of"
            or each.quantity.end - each.quantity.start > 1
        ):
            return True
    return False
