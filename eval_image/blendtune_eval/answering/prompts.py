"""Questions rendered by a model's chat template, and the tokens that end its answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.conversation import ChatRole, of_texts
from blendtune_runtime.chat.jinja import TemplateRefusal
from blendtune_runtime.chat.rendering import PLAIN, ChatRenderer, Rendering
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadConfiguration, BadModel

_SHOWN = 60  # characters of a text in an error message


@dataclass(frozen=True, slots=True)
class Prompt:
    """The token ids of one rendered question."""

    token_ids: tuple[int, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(",".join(map(str, self.token_ids)).encode()).hexdigest()


class ChatPrompts:
    """A tokenizer and a chat template: the one named, else the tokenizer's own, else the fallback.

    Raises BadModel where there is no tokenizer or none of these templates; BadConfiguration where the named
    template is made for tokens that the tokenizer lacks.
    """

    def __init__(
        self,
        folder: Path,
        field: str,
        named_template: ChatTemplate | None = None,
        fallback_template: str | None = None,
        rendering: Rendering = PLAIN,
    ) -> None:
        self._tokenizer = load_tokenizer(folder, named_template, field)
        self._tokenizer.chat_template = self._tokenizer.chat_template or fallback_template
        self._renderer = ChatRenderer(self._tokenizer, rendering, field)

    @property
    def template(self) -> str:
        return self._renderer.template

    @property
    def digest(self) -> str:
        """The digest of the template and its variables."""
        return self._renderer.digest

    @property
    def switches(self) -> dict[str, Any]:
        """The variables with which the template is told whether to think."""
        return dict(self._renderer.switches)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers; its template is the one in use."""
        return self._tokenizer

    def shares_vocabulary(self, other: ChatPrompts) -> bool:
        return bool(self._tokenizer.get_vocab() == other._tokenizer.get_vocab())

    def render(self, question: str, system_prompt: str = "") -> Prompt:
        """The question as a first user turn. Raises what `rendered` does."""
        text = self.rendered(question, system_prompt)
        return Prompt(tuple(self._tokenizer(text, add_special_tokens=False).input_ids))

    def rendered(self, question: str, system_prompt: str = "") -> str:
        """The text of the prompt.

        Raises BadConfiguration where the template refuses it or leaves something out, or where the text would
        forge a turn.
        """
        system = [(ChatRole.SYSTEM, system_prompt)] if system_prompt else []
        conversation = of_texts([*system, (ChatRole.USER, question)])
        what = "a system prompt" if system_prompt else "a question"
        for text in (system_prompt, question):
            if (found := self._renderer.control.find(text)) is not None:
                raise BadConfiguration(
                    f"{text[:_SHOWN]!r} holds {found}, with which the model's chat template tells turns "
                    "apart: write it in another way"
                )
        try:
            prompt = self._renderer.prompt(conversation)
            self._renderer.check_kept(conversation, prompt)
        except TemplateRefusal as refusal:
            raise BadConfiguration(f"the model's chat template refuses {what}: {refusal}") from refusal
        return prompt

    def stop_token_ids(self) -> tuple[int, ...]:
        """The tokens that end a text or an assistant's turn, by the tokenizer and the template.

        Raises BadModel where there is none.
        """
        stops = self._renderer.stop_token_ids()
        if not stops:
            raise BadModel("the tokenizer has neither an end-of-text token nor an end-of-turn token")
        return tuple(sorted(stops))

    def text(self, token_ids: list[int]) -> str:
        """The text of an answer, without special tokens and surrounding blanks."""
        return str(self._tokenizer.decode(token_ids, skip_special_tokens=True)).strip()


def longest(prompts: Sequence[Prompt]) -> int:
    """Tokens of the longest prompt."""
    return max(len(prompt.token_ids) for prompt in prompts)
