"""The chat templates that a spec may name, as the Jinja text that transformers and vLLM apply.

Each file is whole in itself, because the exported model carries it. An assistant's turn, from what follows
its generation prompt to its end-of-turn token, stands between `{% generation %}` and `{% endgeneration %}`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from blendtune_api.v1alpha1 import ChatTemplate

_EOS = "eos_token"  # the variable under which a template gets the tokenizer's end-of-text token
_SPECIAL_TOKEN = re.compile(r"<\|\w+\|>")


class MissingTokens(ValueError):
    """A template is built of tokens that the tokenizer lacks."""


def template_text(template: ChatTemplate) -> str:
    return (Path(__file__).parent / f"{template}.jinja").read_text(encoding="utf-8")


def use_chat_template(tokenizer: Any, template: ChatTemplate) -> None:
    """Gives a tokenizer of transformers the chat template, in place of one of its own.

    Raises MissingTokens, in words for the user, where it lacks a special token that the template is built of.
    """
    present = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    if tokenizer.eos_token is not None:
        present.add(_EOS)
    if missing := _needed(template) - present:
        usable = " or ".join(other for other in ChatTemplate if _needed(other) <= present)
        instead = f"use {usable}, which it has all tokens for" if usable else "use another model"
        raise MissingTokens(
            f"{template} is built of {', '.join(sorted(missing))}, which the tokenizer lacks among its "
            f"special tokens: {instead}, or leave chatTemplate unset for the tokenizer's own"
        )
    tokenizer.chat_template = template_text(template)


def _needed(template: ChatTemplate) -> set[str]:
    """The special tokens that the text names, and _EOS where it ends turns with the tokenizer's own."""
    text = template_text(template)
    return set(_SPECIAL_TOKEN.findall(text)) | ({_EOS} if _EOS in text else set())
