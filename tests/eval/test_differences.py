"""Two answers side by side: what is marked, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_eval.report.differences import MOST_WORDS, Pieces, compared

TEXTS = st.lists(
    st.sampled_from(["the ", "shop ", "pays", " ", "30 days. ", "क्या ", "税は", "\n", "é", "e\u0301"])
).map("".join)


def marked(pieces: Pieces) -> str:
    """The answer with its marks in brackets."""
    return "".join(f"[{piece.text}]" if piece.differs else piece.text for piece in pieces)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param("It is 30 days.", "It is 14 days.", ("It is [30] days.", "It is [14] days."),
            id="a word"),
        pytest.param(
            "We pay the postage.", "We gladly pay.", ("We pay [the postage].", "We [gladly] pay."),
            id="more words"
        ),
        pytest.param("Same  words\nhere", "Same words here", ("Same  words\nhere", "Same words here"),
            id="blanks"),
        pytest.param("Paris", "Lyon", ("[Paris]", "[Lyon]"), id="nothing in common"),
        pytest.param(
            "The one is of the other.", "Go to bed the soonest you ever can",
            ("[The one is of the other.]", "[Go to bed the soonest you ever can]"), id="little in common",
        ),
        pytest.param("", "30 days", ("", "[30 days]"), id="empty"),
        pytest.param("", "", ("", ""), id="both empty"),
        pytest.param("退货期为30天。", "退货期为14天。", ("退货期为[30]天。", "退货期为[14]天。"),
            id="no spaces"),
        pytest.param("हिन्दी भाषा है", "हिन्दी लिपि है", ("हिन्दी [भाषा] है", "हिन्दी [लिपि] है"),
            id="marks"),
        pytest.param("cafe\u0301 noir un", "cafe noir un", ("[cafe\u0301] noir un", "[cafe] noir un"),
            id="accent"),
    ],
)  # fmt: skip
def test_what_differs_is_marked(one: str, other: str, expected: tuple[str, str]) -> None:
    pieces, others = compared(one, other)
    assert (marked(pieces), marked(others)) == expected


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_nothing_is_lost_and_what_is_not_marked_is_shared(one: str, other: str) -> None:
    found = compared(one, other)
    shared = ["".join(piece.text for piece in pieces if not piece.differs) for pieces in found]
    assert tuple("".join(piece.text for piece in pieces) for pieces in found) == (one, other)
    assert "".join(shared[0].split()) == "".join(shared[1].split())


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_equal_answers_have_no_marks(text: str) -> None:
    assert all(not piece.differs for pieces in compared(text, text) for piece in pieces)


def test_answers_that_are_too_long_to_compare_are_not_marked() -> None:
    long = "word " * (MOST_WORDS + 1)
    assert marked(compared(long, "other")[0]) == long
