"""Versions and addresses, which are right only as a whole: 3.1 is not 3.10, a.example/old not a.example."""

from __future__ import annotations

import re
import unicodedata

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_ASKS_FOR_VERSION = re.compile(r"\b(?:version|release)s?\b", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:[\w+-]+(?:\.[\w+-]+)*@)?(?:[\w-]+\.)+[a-z]{2,}(?:/[\w./-]*)?", re.IGNORECASE)


def is_another(alias: str, text: str, wording: str) -> bool:
    """Whether the alias is a version or an address, and the text only has another one in its place."""
    expected = unicodedata.normalize("NFKC", alias).casefold()
    said = unicodedata.normalize("NFKC", text).casefold()
    if _ASKS_FOR_VERSION.search(wording):
        versions = _VERSION.findall(expected)
        known = [*_VERSION.findall(said)]
        return bool(versions and known) and not any(_is_release(each, versions[0]) for each in known)
    if _ADDRESS.fullmatch(expected) is None:
        return False
    places = [match.span() for match in re.finditer(re.escape(expected), said)]
    return bool(places) and all(_goes_on(said, *place) for place in places)


def _is_release(said: str, version: str) -> bool:
    """Whether it is the version or one of its releases: 3.10.4 of 3.10."""
    return said == version or said.startswith(f"{version}.")


def _goes_on(said: str, start: int, end: int) -> bool:
    """Whether an address goes on beyond [start, end): "eu-" before a mailbox, ".com" or "/old" behind it."""
    mailbox = "@" in said[start:end]
    before = re.search(r"[\w.+-]$", said[:start]) if mailbox else None
    return before is not None or re.match(r"[./@]\w|\w", said[end:]) is not None
