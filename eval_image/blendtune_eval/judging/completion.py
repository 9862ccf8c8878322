"""Reads a chat completion as servers send it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blendtune_eval.api_client import CallFailed
from blendtune_eval.one_line import one_line
from blendtune_eval.server_words import words_of

_REASONING = ("reasoning_content", "reasoning")  # names of the field that holds thoughts
_CUT = frozenset({"length", "max_tokens"})
_FILTERED = "content_filter"


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """What a model said, and what it thought in a field of its own. `cut`: the limit on tokens ended it."""

    text: str
    reasoning: str
    cut: bool
    served: str  # the model that the server names


def read_completion(body: bytes) -> Completion:
    """The completion in a response. Raises CallFailed where there is none, or it was refused or filtered."""
    try:
        document = json.loads(body)
        (choice,) = document["choices"]
        message: Mapping[str, Any] = choice["message"]
        refusal, finish, served = message.get("refusal"), choice.get("finish_reason"), document.get("model")
        text = _text(message.get("content"))
        reasoning = next((found for name in _REASONING if (found := _text(message.get(name)))), "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        said = one_line(words_of(body))
        raise CallFailed(
            f"the response is no chat completion with one choice{f': {said}' if said else ''}",
            again=not body.lstrip().startswith(b"<"),  # a page, such as a login
        ) from error
    if refusal:
        raise CallFailed(f"the judge refused: {one_line(str(refusal))}")
    if finish == _FILTERED:
        raise CallFailed("the server's content filter stopped the judge")
    return Completion(
        text=text,
        reasoning=reasoning,
        cut=isinstance(finish, str) and finish.lower() in _CUT,
        served=one_line(served) if isinstance(served, str) else "",
    )


def _text(content: Any) -> str:
    """The text of a message's content, which may be a list of parts. Parts of thoughts are left out."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
