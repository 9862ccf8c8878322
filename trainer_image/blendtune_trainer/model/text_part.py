"""The part of a multimodal model that reads and writes text: what is trained. All else stays as it is."""

from __future__ import annotations

import re
from typing import Any


def is_multimodal(model: Any) -> bool:
    """Whether the model has parts for images, sound or the like beside its language model."""
    return model.config.get_text_config() is not model.config


def text_modules(model: Any) -> set[int]:
    """The ids of the modules that a text passes through; all, if the model is one of text."""
    parts = (model.get_decoder(), model.get_output_embeddings()) if is_multimodal(model) else (model,)
    return {id(module) for part in parts for module in part.modules()}


def freeze_other_parts(model: Any) -> None:
    """Freezes the parts of a multimodal model that are not of text; a model of text is left alone."""
    if not is_multimodal(model):
        return
    model.requires_grad_(False)
    for part in (model.get_decoder(), model.get_output_embeddings()):
        part.requires_grad_(True)


def other_parts(model: Any) -> str | None:
    """A regular expression of the names of modules outside of the language model; None if there are none."""
    if not is_multimodal(model):
        return None
    text = model.get_decoder()
    name = next(name for name, module in model.named_modules() if module is text)
    return rf"(?!{re.escape(name)}\.).*"
