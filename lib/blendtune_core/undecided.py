"""What to say of answers that the rules left undecided."""

from __future__ import annotations

from collections.abc import Sequence

from blendtune_api.v1alpha1 import UnsureAnswers


def told_undecided(unsure: Sequence[UnsureAnswers]) -> str:
    """A sentence on how many answers are undecided, and what would decide them; empty if there are none."""
    count = sum(each.answers for each in unsure)
    if not count:
        return ""
    answers = "answer is" if count == 1 else "answers are"
    return (
        f"{count} {answers} undecided by the rules, which every interval counts either way; a model decides "
        "them with judge: {kind: Cascade}"
    )
