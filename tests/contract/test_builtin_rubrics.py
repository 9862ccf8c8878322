"""What the operator knows of the built-in rubrics without reading them is true."""

from __future__ import annotations

from collections import Counter

import pytest

from blendtune_api.v1alpha1 import Role
from blendtune_core.builtin_rubrics import builtin_counts
from blendtune_core.power import QuestionCounts
from blendtune_eval.rubrics.loader import builtin_names, load_builtin


@pytest.mark.parametrize("general_from", ["", "general300"])
@pytest.mark.parametrize("name", builtin_names())
def test_the_question_counts_are_those_of_the_files(name: str, general_from: str) -> None:
    more = "" if name == general_from else general_from
    domains = Counter(question.domain for question in load_builtin(name, more).questions)
    counts = QuestionCounts(general=domains[Role.GENERAL], in_domain=domains[Role.IN_DOMAIN])
    assert builtin_counts(name, more) == counts


def test_general_questions_that_a_rubric_has_already_do_not_count_twice() -> None:
    assert builtin_counts("healthcare45", "business45") == builtin_counts("healthcare45")


@pytest.mark.parametrize(
    ("name", "general_from"), [("business46", ""), ("business45", "general301"), ("", "")]
)
def test_unknown_rubrics_have_no_counts(name: str, general_from: str) -> None:
    assert builtin_counts(name, general_from) is None
