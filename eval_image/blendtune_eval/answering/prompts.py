"""Questions as the model sees them: rendered by its chat template, and where its answer ends."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import AutoTokenizer

from blendtune_api.chat_templates import MissingTokens, use_chat_template
from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_eval.failures import bad_configuration, bad_model

_PROBE = "blendtune-probe"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One rendered question as token ids."""

    token_ids: tuple[int, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(",".join(map(str, self.token_ids)).encode()).hexdigest()


class ChatPrompts:
    """A tokenizer and a chat template: the one named, else the tokenizer's own, else the fallback.

    Raises EvaluationError where there is none of them, or one of another tokenizer's tokens is named.
    """

    def __init__(
        self,
        folder: Path,
        field: str,
        named_template: ChatTemplate | None = None,
        fallback_template: str | None = None,
    ) -> None:
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError) as error:
            raise bad_model(f"{field}.uri: no tokenizer could be loaded from {folder}: {error}") from error
        self._tokenizer.chat_template = self._tokenizer.chat_template or fallback_template
        if named_template is not None:
            try:
                use_chat_template(self._tokenizer, named_template)
            except MissingTokens as error:
                raise bad_configuration(f"{field}.chatTemplate: {error}") from error
        if not self._tokenizer.chat_template:
            raise bad_model(
                f"{field}.uri: the tokenizer in {folder} has no chat template. Set {field}.chatTemplate to "
                f"one of {', '.join(ChatTemplate)}, use a chat or instruct model, or add a "
                "chat_template.jinja file to the model's folder"
            )
        self.template: str = self._tokenizer.get_chat_template()

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers, with the template."""
        return self._tokenizer

    def shares_vocabulary(self, other: ChatPrompts) -> bool:
        return bool(self._tokenizer.get_vocab() == other._tokenizer.get_vocab())

    def render(self, question: str, system_prompt: str = "") -> Prompt:
        """The question as a first user turn. Raises EvaluationError where the template refuses it."""
        text = self.rendered(question, system_prompt)
        return Prompt(tuple(self._tokenizer(text, add_special_tokens=False).input_ids))

    def rendered(self, question: str, system_prompt: str = "") -> str:
        """The text that the model reads. Raises EvaluationError where the template refuses it."""
        system = [{"role": "system", "content": system_prompt}] if system_prompt else []
        messages = [*system, {"role": "user", "content": question}]
        try:
            return str(
                self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            )
        except (TemplateError, TypeError, ValueError) as error:
            what = "a system prompt" if system_prompt else "a question"
            raise bad_configuration(f"the model's chat template refuses {what}: {error}") from error

    def stop_token_ids(self) -> tuple[int, ...]:
        """The ends of a text and of an assistant's turn, from the tokenizer and the template alone."""
        stops = {self._tokenizer.eos_token_id, self._end_of_turn()} - {None}
        if not stops:
            raise bad_model("the tokenizer has neither an end-of-text token nor an end-of-turn token")
        return tuple(sorted(stops))

    def text(self, token_ids: list[int]) -> str:
        return str(self._tokenizer.decode(token_ids, skip_special_tokens=True)).strip()

    def _end_of_turn(self) -> int | None:
        """The special token that the template sets after an assistant's words."""
        messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _PROBE}]
        rendered: str = self._tokenizer.apply_chat_template(messages, tokenize=False)
        after = rendered.rpartition(_PROBE)[2].strip()
        token_ids = self._tokenizer(after, add_special_tokens=False).input_ids
        special = {index for index, token in self._tokenizer.added_tokens_decoder.items() if token.special}
        return token_ids[0] if token_ids and token_ids[0] in special else None


def longest(prompts: Sequence[Prompt]) -> int:
    """Tokens of the longest prompt."""
    return max(len(prompt.token_ids) for prompt in prompts)
