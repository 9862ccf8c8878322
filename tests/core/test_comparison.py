"""Runs side by side: paired differences, what their intervals pay for, and what is not comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import comb
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.read_reports import Score, question, report

from blendtune_api.contract import ReadReport
from blendtune_core.comparable import cautions, obstacles
from blendtune_core.comparison import MOST_RUNS, ComparedScope, compare
from blendtune_core.statistics import Sample, delta_interval

SCORES = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=2, max_size=12)


def scope(reports: Sequence[ReadReport], name: str) -> ComparedScope:
    return next(each for each in compare(reports).headline if each.name == name)


def test_runs_are_paired_by_question_with_the_first() -> None:
    one, other = report("one", [1.0, 0.0, 0.5]), report("other", [0.5, 0.0, 1.0])
    general = scope([one, other], "general")
    assert [score.score for score in general.scores] == [0.5, 0.5]
    first, second = general.differences
    assert first is None
    assert second is not None and second.value == 0 and second.n == 3
    assert second.low < 0 < second.high and second.surely == ""


def test_two_runs_have_intervals_of_95_percent() -> None:
    scores, others = [1.0, 0.0, 0.5, 1.0], [0.0, 0.0, 1.0, 0.5]
    difference = scope([report("one", scores), report("other", others)], "general").differences[1]
    deltas = [other - score for score, other in zip(scores, others, strict=True)]
    expected = delta_interval(Sample.of(deltas, [1.0] * 4))
    assert difference is not None and (difference.low, difference.high) == (expected.low, expected.high)


@pytest.mark.parametrize(("runs", "pairs"), [(2, 1), (3, 3), (4, 6), (8, 28)])
def test_intervals_pay_for_every_pair_of_runs(runs: int, pairs: int) -> None:
    found = compare([report(str(number), [1.0, 0.5, 0.0]) for number in range(runs)])
    assert found.pairs == pairs
    assert found.level == pytest.approx(1 - 0.05 / pairs)


@settings(max_examples=20, deadline=None)
@given(SCORES)
def test_an_interval_of_a_higher_level_holds_the_lower_one(values: list[float]) -> None:
    sample = Sample.of(values, [1.0] * len(values))
    narrow, wide = delta_interval(sample), delta_interval(sample, 1 - 0.05 / 12)
    assert wide.low <= narrow.low <= narrow.high <= wide.high


@settings(max_examples=8, deadline=None)
@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_questions_and_of_two_runs_changes_nothing_but_the_sign(
    scores: list[float], random: Any
) -> None:
    others = [random.choice([0.0, 0.5, 1.0]) for _ in scores]
    one, other = report("one", scores), report("other", others)
    shuffled = replace(other, questions=tuple(random.sample(other.questions, len(other.questions))))
    there, again, back = (
        scope(pair, "overall").differences[1] for pair in ((one, other), (one, shuffled), (other, one))
    )
    assert there is not None and back is not None
    assert there == again
    assert there.value == pytest.approx(-back.value)
    assert there.low <= there.value <= there.high


def test_of_equal_runs_few_are_called_different_in_any_comparison() -> None:
    """Four runs of one ability: in at most 5% of comparisons is any of them told from the first."""
    random = np.random.default_rng(7)
    comparisons, questions, runs = 100, 40, 4
    called = 0
    for _ in range(comparisons):
        hard = random.beta(1, 1, questions)
        scores = [random.binomial(3, hard) / 3 for _ in range(runs)]
        samples = [Sample.of(list(other - scores[0]), [1.0] * questions) for other in scores[1:]]
        intervals = [delta_interval(sample, 1 - 0.05 / comb(runs, 2) / 2) for sample in samples]
        called += any(interval.low > 0 or interval.high < 0 for interval in intervals)
    print(f"{called} of {comparisons} comparisons of equal runs found a difference")
    assert called <= 0.05 * comparisons


@pytest.mark.parametrize(
    ("scores", "n"),
    [
        pytest.param([None, 0.5, 1.0], 2, id="unscored in one"),
        pytest.param([None, None, None], 0, id="unscored altogether"),
    ],
)
def test_questions_without_a_score_in_one_run_are_not_paired(scores: list[Score], n: int) -> None:
    difference = scope([report("one", [1.0, 1.0, 1.0]), report("other", scores)], "general").differences[1]
    assert (difference.n if difference else 0) == n


def test_questions_that_differ_come_by_their_spread() -> None:
    found = compare([report("one", [1.0, 0.0, 0.5]), report("two", [1.0, 1.0, 0.25])])
    assert [each.id for each in found.differing] == ["world-1", "world-2"]
    assert found.differing[0].scores == (0.0, 1.0)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"prompt": "another wording?"}, id="wording"),
        pytest.param({"points": 2.0}, id="criteria"),
        pytest.param({"general": False}, id="domain"),
    ],
)
def test_only_questions_in_common_are_compared(change: Any) -> None:
    one = report("one", [1.0, 0.0])
    other = replace(one, questions=(question("world-0", 0.5, 0.0, **change), *one.questions[1:]))
    found = compare([one, other])
    assert (found.questions, found.left_out) == (2, (1, 1))
    assert found.headline[1].scores[0].n == 1


@pytest.mark.parametrize("runs", [1, MOST_RUNS + 1])
def test_too_few_or_too_many_are_refused(runs: int) -> None:
    with pytest.raises(ValueError, match=f"from 2 to {MOST_RUNS}"):
        compare([report(str(number), [1.0]) for number in range(runs)])


ONE = report("one", [1.0, 0.0])
RUBRIC = replace(ONE.rubric, version="1.1", digest="fedcba9876543210")


@pytest.mark.parametrize(
    ("other", "common", "words"),
    [
        pytest.param(ONE, False, (), id="alike"),
        pytest.param(
            replace(ONE, judge=replace(ONE.judge, digest="rules-4")),
            True,
            ("two was judged by Rules (rules-4), one by Rules (rules-5)", "Evaluate one again"),
            id="judge",
        ),
        pytest.param(
            replace(ONE, rubric=RUBRIC),
            False,
            ("two was asked rubric kettle-shop 1.1 (fedcba987654), one rubric kettle-shop 1.0",
             "3 of 3 questions", "--common"),
            id="rubric",
        ),
        pytest.param(replace(ONE, rubric=RUBRIC), True, (), id="rubric, common questions"),
        pytest.param(
            replace(ONE, rubric=RUBRIC, questions=(question("else", 1.0),)),
            True,
            ("no question is the same in all reports",),
            id="nothing in common",
        ),
    ],
)  # fmt: skip
def test_what_forbids_a_comparison_is_said_by_name(
    other: ReadReport, common: bool, words: tuple[str, ...]
) -> None:
    found = obstacles(("one", "two"), (ONE, other), common=common)
    assert bool(found) == bool(words)
    assert all(word in " ".join(found) for word in words)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        pytest.param(ONE, [], id="alike"),
        pytest.param(
            replace(
                ONE,
                scores=replace(
                    ONE.scores, digests=replace(ONE.scores.digests, template="llama", decoding="x")
                ),
            ),
            ["another chat template and another decoding"],
            id="prompts",
        ),
        pytest.param(
            replace(ONE, respondents=(ONE.respondents[0], replace(ONE.respondents[1], digest="else"))),
            ["another base model"],
            id="base",
        ),
        pytest.param(
            replace(ONE, respondents=ONE.respondents[:1]), ["only one was compared with a base"], id="no base"
        ),
        pytest.param(
            report("two", [None, 1.0]), ["1 of the 3 questions of two have no score"], id="unscored"
        ),
    ],
)
def test_what_a_reader_must_know_is_noted(other: ReadReport, words: list[str]) -> None:
    found = cautions(("one", "two"), (ONE, other))
    assert len(found) == len(words)
    assert all(word in note for word, note in zip(words, found, strict=True))
