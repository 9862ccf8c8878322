"""docs/situations.md is what the table of situations says, which tests/cluster/test_situations.py makes."""

from __future__ import annotations

from docs.situations import PAGE, page
from tests.cluster.situations.table import situations


def test_the_page_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make generate`"


def test_it_has_every_message() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [item.title for item in situations() if f"```text\n{item.message}\n```" not in text] == []
