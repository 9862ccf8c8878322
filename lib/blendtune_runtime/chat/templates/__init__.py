"""The named chat templates of the spec, as Jinja text for transformers and vLLM.

Each file is self-contained, because it is exported with the model. An assistant's turn, from the end of its
generation prompt to its end-of-turn token, is enclosed in `{% generation %}` and `{% endgeneration %}`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from blendtune_api.v1alpha1 import ChatTemplate

NAMED_TEMPLATES = ", ".join(ChatTemplate)
_EOS = "eos_token"  # the variable of a template that holds the tokenizer's end-of-text token
_SPECIAL_TOKEN = re.compile(r"<\|\w+\|>")


class MissingTokens(ValueError):
    """A template uses special tokens that the tokenizer lacks. The message is written for the user."""


def template_text(template: ChatTemplate) -> str:
    """The Jinja text of a named template."""
    return (Path(__file__).parent / f"{template}.jinja").read_text(encoding="utf-8")


def use_chat_template(tokenizer: Any, template: ChatTemplate) -> None:
    """Replaces the chat template of a tokenizer of transformers by a named one.

    Raises MissingTokens if the tokenizer lacks a special token of the template.
    """
    if missing := _needed(template) - _present(tokenizer):
        usable = " or ".join(usable_templates(tokenizer))
        instead = f"use {usable}, which it has all tokens for" if usable else "use another model"
        raise MissingTokens(
            f"{template} is built of {', '.join(sorted(missing))}, which the tokenizer lacks among its "
            f"special tokens: {instead}, or leave chatTemplate unset for the tokenizer's own"
        )
    tokenizer.chat_template = template_text(template)


def usable_templates(tokenizer: Any) -> tuple[ChatTemplate, ...]:
    """The named templates that fit a tokenizer.

    They are those of its own turn tokens, or else those that need no more than an end-of-text token.
    """
    present = _present(tokenizer)
    usable = [template for template in ChatTemplate if _needed(template) <= present]
    own = [template for template in usable if _needed(template) - {_EOS}]
    return tuple(own or usable)


def _present(tokenizer: Any) -> set[str]:
    """The special tokens of a tokenizer, and _EOS if it has an end-of-text token."""
    present = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    return present | ({_EOS} if tokenizer.eos_token is not None else set())


def _needed(template: ChatTemplate) -> set[str]:
    """The special tokens in the text of a template, and _EOS if it uses the tokenizer's end-of-text token."""
    text = template_text(template)
    return set(_SPECIAL_TOKEN.findall(text)) | ({_EOS} if _EOS in text else set())
