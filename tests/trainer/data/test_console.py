"""The progress line of a source."""

from __future__ import annotations

import pytest

from blendtune_trainer.rows.console import format_progress


@pytest.mark.parametrize(
    ("read", "words"),
    [
        pytest.param(None, "1,000 rows, 20,000 tokens, 100 rows/s", id="of unknown length"),
        pytest.param(
            0.25,
            "[#####...............]  25%, 1,000 rows, 20,000 tokens, 100 rows/s, 30 s left",
            id="a quarter",
        ),
        pytest.param(
            1.0,
            "[####################] 100%, 1,000 rows, 20,000 tokens, 100 rows/s, 0 s left",
            id="all",
        ),
    ],
)
def test_words(read: float | None, words: str) -> None:
    assert format_progress(1000, 20_000, read, seconds=10.0) == words
