"""Lists of the API server, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from blendtune_operator.api import Api, ApiError, list_pages
from blendtune_operator.names import Kind, Object


class Pages:
    """An API server that has these pages, or does not know the kind."""

    def __init__(self, *pages: list[str]) -> None:
        self._pages = pages

    async def get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        if not self._pages:
            raise ApiError(404, "NotFound", path)
        number = int(query.get("continue", "0"))
        following = str(number + 1) if number + 1 < len(self._pages) else ""
        items = [{"metadata": {"name": name}} for name in self._pages[number]]
        return {"metadata": {"resourceVersion": "7", "continue": following}, "items": items}


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param([["a", "b"], ["c"]], [(["a", "b"], 7), (["c"], 7)], id="two pages"),
        pytest.param([[]], [([], 7)], id="nothing, as of a version"),
        pytest.param([], [], id="an unknown kind"),
    ],
)
def test_each_page_has_the_version_of_the_list(
    pages: list[list[str]], expected: list[tuple[list[str], int]]
) -> None:
    async def listed() -> list[tuple[list[Object], int]]:
        return [page async for page in list_pages(cast(Api, Pages(*pages)), Kind.POD, "team")]

    found = asyncio.run(listed())
    assert [([obj["metadata"]["name"] for obj in page], version) for page, version in found] == expected
    assert all(obj["kind"] == "Pod" for page, _ in found for obj in page)
