"""What a server says of a failure: its words, the code, the parameters that it names."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Collection, Iterator, Mapping
from http.client import responses
from typing import Any

from blendtune_eval.one_line import one_line

_WORDS = (
    "message",
    "msg",
    "detail",
    "error_description",
    "error",
    "errors",
    "reason",
    "title",
    "description",
)
_CODES = ("code", "type", "status")  # of an error without words
_NAMING = frozenset({"param", "parameter", "loc", "field"})  # keys that name the parameter at fault
_ITEMS = 5  # of a list of faults
_DEPTH = 8
_SCRIPTS = re.compile(r"<(script|style)\b.*?</\1>", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<[^>]*>")
_UNPAID = re.compile(r"insufficient_(?:quota|balance|credit|funds)|billing|payment|arrear", re.IGNORECASE)
_SYSTEM = re.compile(
    r"\bsystem[ _-]?(?:role|message|prompt|instruction)|['\"`]system['\"`]|roles? must alternate"
    r"|messages\[0\]\.role",
    re.IGNORECASE,
)
_INVALID = "invalid_request_error"
_BAD_REQUEST = 400


def http_failure(status: int, body: bytes) -> str:
    """The status in words, and the server's own words."""
    if 300 <= status < 400:
        return f"HTTP {status}, a redirect, which is not followed: the URL must be the final one"
    shown = f"HTTP {status} {responses.get(status, '')}".strip()
    said = one_line(words_of(body))
    return f"{shown}: {said}" if said else shown


def words_of(body: bytes) -> str:
    """What a body says to a person: the message of an error in any of its usual shapes, or a page's text."""
    document = _document(body)
    if document is None:
        text = _SCRIPTS.sub(" ", body.decode(errors="replace"))
        return html.unescape(_TAGS.sub(" ", text)).strip()
    return "; ".join(_said(document, _DEPTH))


def error_in_success(body: bytes) -> tuple[int | None, str] | None:
    """The code and the words of an error that comes with HTTP 200 (a gateway's); None where there is none."""
    document = _document(body)
    if not isinstance(document, dict) or not document.get("error") or document.get("choices"):
        return None
    error = document["error"]
    kind = error.get("type") if isinstance(error, dict) else None
    told = [str(error.get(key)) for key in ("code", "status")] if isinstance(error, dict) else []
    code = next((int(each) for each in told if each.isdecimal() and 400 <= int(each) < 600), None)
    return code or (_BAD_REQUEST if kind == _INVALID else None), one_line(words_of(body))


def asks_for_payment(body: bytes) -> bool:
    """Whether a server that says "too many requests" means that the account is empty, as OpenAI's does."""
    document = _document(body)
    error = document.get("error", document) if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return False
    return any(_UNPAID.search(str(error.get(key))) for key in ("code", "type"))


def refuses_system(body: bytes) -> bool:
    """Whether a refusal names the system message, which some models' templates do not take."""
    return _SYSTEM.search(words_of(body)) is not None


def parameters_named(body: bytes, known: Collection[str]) -> frozenset[str]:
    """Which of the known parameters of a request a refusal names, in a field for it or in words."""
    document = _document(body)
    named = {name.partition(".")[0] for name in _named_fields(document, _DEPTH)}.intersection(known)
    if named:
        return frozenset(named)
    said = words_of(body)
    return frozenset(name for name in known if re.search(_spelt(name), said, re.IGNORECASE))


def _spelt(name: str) -> str:
    """How a parameter is named in a sentence. The letter n must be quoted."""
    if len(name) <= 2:
        return rf"['\"`]{name}['\"`]"
    if name == "response_format":
        return r"response[ _]?format|json[ _]?schema|structured[ _]outputs?|guided|grammar"
    return rf"(?<![\w.]){name}(?!\w)"


def _document(body: bytes) -> Any:
    """The JSON of a body; None where it is none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _said(value: Any, depth: int) -> Iterator[str]:
    if not depth or value is None:
        return
    if isinstance(value, Mapping):
        yield from _said_of_error(value, depth - 1)
    elif isinstance(value, list):
        for item in value[:_ITEMS]:
            yield from _said(item, depth - 1)
    elif text := str(value).strip():
        yield text


def _said_of_error(error: Mapping[str, Any], depth: int) -> Iterator[str]:
    """The first words in an error, with the place that it names, and what a gateway's provider said."""
    words = next((error[key] for key in _WORDS if error.get(key)), None)
    if words is None:
        words = next((error[key] for key in _CODES if error.get(key)), None)
    said = "; ".join(_said(words, depth))
    place = error.get("loc")
    where = f" ({'.'.join(map(str, place))})" if isinstance(place, list) and place else ""
    if said:
        yield f"{said}{where}"
    provider = error.get("metadata")
    if isinstance(provider, Mapping) and provider.get("raw"):
        yield words_of(str(provider["raw"]).encode()) if depth else str(provider["raw"])


def _named_fields(value: Any, depth: int) -> Iterator[str]:
    """What the fields that name a parameter hold, at any depth."""
    if not depth:
        return
    if isinstance(value, list):
        for item in value:
            yield from _named_fields(item, depth - 1)
    if isinstance(value, Mapping):
        for key, held in value.items():
            if key in _NAMING:
                yield from map(str, held if isinstance(held, list) else [held])
            elif key != "input":  # the whole request, in some validators' faults
                yield from _named_fields(held, depth - 1)
