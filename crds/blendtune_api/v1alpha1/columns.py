"""Which columns of a source's rows hold what is learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from blendtune_api.marks import Mark, Rule


def _column(what: str) -> Mark:
    return Mark(f"Column with {what}.", min_length=1, max_length=256)


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """The names of columns. What is unset is recognised by the usual names."""

    messages: Annotated[str | None, _column("the list of messages")] = None
    prompt: Annotated[str | None, _column("the question, text or a list of messages")] = None
    response: Annotated[str | None, _column("the answer, text or a list of messages")] = None
    input: Annotated[str | None, _column("what is appended to the prompt")] = None
    history: Annotated[str | None, _column("earlier turns, a list of [question, answer]")] = None
    system: Annotated[str | None, _column("the system message")] = None
    tools: Annotated[str | None, _column("the tools that the assistant may call")] = None
    reasoning: Annotated[str | None, _column("the thoughts before the response")] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.prompt) == has(self.response)",
            message="set prompt and response together",
            check=lambda self: (self.prompt is None) == (self.response is None),
        ),
        Rule(
            cel="!has(self.messages) || !(has(self.prompt) || has(self.input) || has(self.history) "
            "|| has(self.reasoning))",
            message="messages goes with system and tools only",
            check=lambda self: (
                self.messages is None or not (self.prompt or self.input or self.history or self.reasoning)
            ),
        ),
    )
