"""Loads the tokenizer of a model with the chat template of the spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.templates import MissingTokens, use_chat_template
from blendtune_runtime.errors import BadConfiguration, BadModel


def load_tokenizer(folder: Path, chat_template: ChatTemplate | None, field: str = "spec.model") -> Any:
    """The tokenizer in a folder, with a named chat template or, for None, its own.

    `field` is the model's path in the spec, for error messages. Raises BadModel if there is no tokenizer,
    BadConfiguration if it lacks a special token of the template.
    """
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise BadModel(f"{field}.uri: no tokenizer could be loaded from {folder}: {error}") from error
    if chat_template is not None:
        try:
            use_chat_template(tokenizer, chat_template)
        except MissingTokens as error:
            raise BadConfiguration(f"{field}.chatTemplate: {error}") from error
    return tokenizer
