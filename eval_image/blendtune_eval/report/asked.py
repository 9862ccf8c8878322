"""Which questions were asked, and which not: for an evaluation that may stop once its gates are decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from blendtune_core.asked import look_of, told_asked
from blendtune_core.power import Z
from blendtune_eval.report.model import NotAsked, Report


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedInWords:
    """`wider`: how much wider the intervals are than plain ones over the same questions."""

    told: str
    wider: str
    by_category: tuple[tuple[str, int, int], ...]  # title, asked, of how many
    not_asked: tuple[NotAsked, ...]


def asked_in_words(report: Report) -> AskedInWords | None:
    """None for an evaluation that asks every question."""
    asked = report.scores.asked
    if asked is None:
        return None
    put = Counter(question.category for question in report.questions)
    left = Counter(question.category for question in report.not_asked)
    told = told_asked(asked)
    return AskedInWords(
        told=f"{told[0].upper()}{told[1:]}.",
        wider=f"{look_of(asked).critical() / Z:.2f}",
        by_category=tuple(
            (category.title, put[category.name], put[category.name] + left[category.name])
            for category in report.rubric.categories
        ),
        not_asked=report.not_asked,
    )
