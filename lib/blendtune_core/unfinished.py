"""What to say of answers that were cut within their thoughts."""

from __future__ import annotations

from math import ceil, log

from blendtune_api.v1alpha1 import UnfinishedAnswers

MOST_NEW_TOKENS = 32_768  # the largest sampling.maxNewTokens
_STEP = 256
_LEFT_CUT = 0.01  # share of answers that may still be cut
_SMALLEST_FACTOR, _LARGEST_FACTOR = 2.0, 8.0  # times the limit


def enough_new_tokens(limit: int, share: float) -> int:
    """An estimate of the limit that all but 1% of the answers finish within, where `share` of them did not.

    Takes the lengths for exponential: a share of share^(x / limit) is longer than x tokens. The result is a
    multiple of 256, between twice and eight times the limit, and at most what the API allows.
    """
    if share >= 1:
        factor = _LARGEST_FACTOR
    else:
        factor = log(_LEFT_CUT) / log(share) if share > _LEFT_CUT else _SMALLEST_FACTOR
    tokens = limit * min(max(factor, _SMALLEST_FACTOR), _LARGEST_FACTOR)
    return min(ceil(tokens / _STEP) * _STEP, MOST_NEW_TOKENS)


def told_unfinished(unfinished: UnfinishedAnswers) -> str:
    """A sentence on how many answers were cut within their thoughts, and what would let them finish."""
    of = [
        f"{count} of {whose}"
        for count, whose in ((unfinished.model, "the model"), (unfinished.baseline, "the base model"))
        if count
    ]
    return (
        f"answers cut within their thoughts and not judged: {' and '.join(of)}; "
        f"sampling.maxNewTokens of about {unfinished.max_new_tokens} would do"
    )
