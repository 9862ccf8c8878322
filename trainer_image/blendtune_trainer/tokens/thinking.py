"""Whether a run's examples hold thoughts, as `spec.model.thinking` and the rows decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from blendtune_api.v1alpha1 import Thinking
from blendtune_runtime.chat.rendering import ChatRenderer
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.tokens.row_encoder import OnReasoning, ReasoningMet
from blendtune_trainer.tokens.token_cache import Repeats

_FIELD = "spec.model.thinking"
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """How one reading of the rows takes thoughts."""

    thinking: bool  # what the template is told
    on_reasoning: OnReasoning


def with_thinking(wanted: Thinking, read: Callable[[Mode], T]) -> T:
    """What `read` returns in the mode that was wanted. Under `auto`, rows with thoughts are read again."""
    if wanted is Thinking.ON:
        return read(Mode(thinking=True, on_reasoning=OnReasoning.KEEP))
    if wanted is Thinking.OFF:
        return read(Mode(thinking=False, on_reasoning=OnReasoning.LEAVE_OUT))
    try:
        return read(Mode(thinking=False, on_reasoning=OnReasoning.REPORT))
    except ReasoningMet:
        return read(Mode(thinking=True, on_reasoning=OnReasoning.KEEP))


def resolved(wanted: Thinking, mode: Mode, renderer: ChatRenderer) -> Thinking:
    """`on` or `off`: how the model is to be asked after a training in this mode.

    Raises BadConfiguration if the template cannot do what was wanted.
    """
    if wanted is Thinking.ON and renderer.dialect.reasoned is None and not renderer.knows_thinking:
        raise BadConfiguration(
            f"{_FIELD}: on, but the model's chat template knows no thoughts: set it to off or auto"
        )
    if wanted is Thinking.OFF and renderer.opens_thoughts:
        raise BadConfiguration(
            f"{_FIELD}: off, but the prompts of the model's chat template open a think block and nothing "
            "turns that off: set it to on or auto"
        )
    return Thinking.ON if mode.thinking or renderer.opens_thoughts else Thinking.OFF


def notes(wanted: Thinking, reasoned_rows: int, repeats: Repeats, tokens: int) -> tuple[str, ...]:
    """What the user should know of a blend's examples, of which all have so many `tokens`."""
    found = []
    if repeats.rows:
        found.append(
            f"each of the {repeats.examples:,} answers of {repeats.rows:,} rows is an example of its own, "
            "because the chat template renders an answer differently once another follows: "
            f"{repeats.tokens:,} of {tokens:,} tokens ({repeats.tokens / tokens:.0%}) are repeated for it"
        )
    if wanted is Thinking.OFF and reasoned_rows:
        found.append(f"the reasoning of {reasoned_rows:,} rows is left out, as {_FIELD}: off says")
    return tuple(found)
