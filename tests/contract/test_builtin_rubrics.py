"""What the operator knows of the built-in rubrics without reading them is true."""

from __future__ import annotations

from collections import Counter

from blendtune_api.v1alpha1 import Role
from blendtune_core.builtin_rubrics import BUILTIN_RUBRICS
from blendtune_core.power import QuestionCounts
from blendtune_eval.rubrics.loader import builtin_names, load_builtin


def test_the_question_counts_are_those_of_the_files() -> None:
    counts = {}
    for name in builtin_names():
        domains = Counter(question.domain for question in load_builtin(name).questions)
        counts[name] = QuestionCounts(general=domains[Role.GENERAL], in_domain=domains[Role.IN_DOMAIN])
    assert counts == BUILTIN_RUBRICS
