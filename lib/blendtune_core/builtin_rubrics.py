"""Question counts of the built-in rubrics, for programs that do not read the rubric files.

A test of the contract compares them with the files (tests/contract/test_builtin_rubrics.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from blendtune_core.power import QuestionCounts

BUILTIN_RUBRICS: Mapping[str, QuestionCounts] = {
    "business45": QuestionCounts(general=22, in_domain=23),
    "healthcare45": QuestionCounts(general=22, in_domain=23),
    "legal45": QuestionCounts(general=22, in_domain=23),
}
