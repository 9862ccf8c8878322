"""The words of a question's wording, by which wordings are compared."""

from __future__ import annotations

from blendtune_eval.rules.text import Token, content

_FENCE = "```"


def wording_content(wording: str) -> tuple[Token, ...]:
    """The tokens of a wording. Code in fences is a part of what is asked; in an answer it is none."""
    return content(wording.replace(_FENCE, " "))
