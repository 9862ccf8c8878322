"""Question counts of the built-in rubrics, for programs that do not read the rubric files.

A test of the contract compares them with the files (tests/contract/test_builtin_rubrics.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blendtune_core.power import QuestionCounts


@dataclass(frozen=True, slots=True)
class BuiltinRubric:
    general_part: str  # which of GENERAL_PARTS its general questions are
    in_domain: int


GENERAL_PARTS: Mapping[str, int] = {"business45": 22, "general300": 300}
BUILTIN_RUBRICS: Mapping[str, BuiltinRubric] = {
    "business45": BuiltinRubric("business45", 23),
    "general300": BuiltinRubric("general300", 0),
    "healthcare45": BuiltinRubric("business45", 23),
    "legal45": BuiltinRubric("business45", 23),
}


def builtin_counts(name: str, general_from: str = "") -> QuestionCounts | None:
    """The questions of a built-in rubric, with the general ones of another; None for an unknown name."""
    named = [BUILTIN_RUBRICS.get(each) for each in (name, general_from) if each]
    known = [rubric for rubric in named if rubric is not None]
    if not known or len(known) < len(named):
        return None
    parts = {rubric.general_part for rubric in known}
    return QuestionCounts(general=sum(GENERAL_PARTS[part] for part in parts), in_domain=known[0].in_domain)
