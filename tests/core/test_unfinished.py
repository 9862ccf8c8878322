"""What is said of answers that were cut within their thoughts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blendtune_api.v1alpha1 import UnfinishedAnswers
from blendtune_core.unfinished import MOST_NEW_TOKENS, enough_new_tokens, told_unfinished


@pytest.mark.parametrize(
    ("limit", "share", "tokens"),
    [
        pytest.param(256, 0.005, 512, id="hardly-any"),
        pytest.param(256, 0.1, 512, id="a-tenth"),
        pytest.param(256, 0.5, 1792, id="half"),
        pytest.param(256, 1.0, 2048, id="all"),
        pytest.param(16_384, 0.9, MOST_NEW_TOKENS, id="the-largest-limit"),
    ],
)
def test_enough_new_tokens(limit: int, share: float, tokens: int) -> None:
    assert enough_new_tokens(limit, share) == tokens


@given(limit=st.integers(1, MOST_NEW_TOKENS), share=st.floats(0.001, 1))
def test_the_estimate_is_a_limit_that_the_api_allows(limit: int, share: float) -> None:
    assert min(2 * limit, MOST_NEW_TOKENS) <= enough_new_tokens(limit, share) <= MOST_NEW_TOKENS


def test_whose_answers_they_are_is_told() -> None:
    told = told_unfinished(UnfinishedAnswers(model=3, baseline=0, max_new_tokens=1024))
    assert told == (
        "answers cut within their thoughts and not judged: 3 of the model; "
        "sampling.maxNewTokens of about 1024 would do"
    )
