"""Renders conversations to text, for training and for the questions of an evaluation."""

from __future__ import annotations

import re
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.conversation import ChatRole, Conversation, of_texts
from blendtune_runtime.errors import BadModel

Span = tuple[int, int]  # index of the first character, and of the one after the last

NAMED_TEMPLATES = ", ".join(ChatTemplate)
_GENERATION_MARKER = re.compile(r"\{%-?\s*generation\s*-?%\}")
_PROBE = "blendtune-probe"


class ChatRenderer:
    """Applies the chat template of a tokenizer of transformers.

    `field` is the model's path in the spec. Raises BadModel on construction if there is no template. If the
    template refuses a conversation, the methods raise what it raises: jinja2.TemplateError, LookupError,
    TypeError or ValueError.
    """

    def __init__(self, tokenizer: Any, field: str = "spec.model") -> None:
        if not tokenizer.chat_template:
            raise BadModel(
                f"{field}: the tokenizer has no chat template. Set {field}.chatTemplate to one of "
                f"{NAMED_TEMPLATES}, use a chat or instruct model, or add a chat_template.jinja file to the "
                "model's folder"
            )
        self._tokenizer = tokenizer
        self.template: str = tokenizer.get_chat_template()
        self.has_generation_markers = _GENERATION_MARKER.search(self.template) is not None
        self._variables: dict[str, Any] = dict(tokenizer.special_tokens_map)

    def text(self, conversation: Conversation, add_generation_prompt: bool = False) -> str:
        """The rendered conversation, followed by the generation prompt if `add_generation_prompt` is set."""
        (text,), _ = render_jinja_template(
            [[message.for_template() for message in conversation.messages]],
            chat_template=self.template,
            add_generation_prompt=add_generation_prompt,
            **self._variables,
        )
        return str(text)

    def marked_text(self, conversation: Conversation) -> tuple[str, tuple[Span, ...]]:
        """The rendered conversation, and its spans between `{% generation %}` and `{% endgeneration %}`."""
        (text,), (spans,) = render_jinja_template(
            [[message.for_template() for message in conversation.messages]],
            chat_template=self.template,
            return_assistant_tokens_mask=True,
            **self._variables,
        )
        return str(text), tuple((start, end) for start, end in spans)

    def end_of_turn_id(self) -> int | None:
        """Id of the special token with which the template ends an assistant's turn; None if there is none."""
        conversation = of_texts([(ChatRole.USER, "?"), (ChatRole.ASSISTANT, _PROBE)])
        after = self.text(conversation).rpartition(_PROBE)[2].strip()
        token_ids = self._tokenizer(after, add_special_tokens=False).input_ids
        special = {index for index, token in self._tokenizer.added_tokens_decoder.items() if token.special}
        return token_ids[0] if token_ids and token_ids[0] in special else None
