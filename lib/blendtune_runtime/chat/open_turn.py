"""A chat whose user's turn is left open: a model that continues it writes what a user would ask.

The way of Magpie, arXiv 2406.08464.
"""

from __future__ import annotations

from dataclasses import dataclass

from blendtune_runtime.chat.conversation import ChatRole, Message, of_texts
from blendtune_runtime.chat.jinja import TemplateRefusal
from blendtune_runtime.chat.rendering import ChatRenderer
from blendtune_runtime.errors import BadModel

_WORD = "Questionword"  # stands for what the user says; no template changes a plain word


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenTurn:
    """The text up to the user's words, and the control token or plain mark that ends them."""

    prompt: str
    end: str
    ends_with_token: bool


def open_user_turn(renderer: ChatRenderer, bos: str = "", field: str = "spec.model") -> OpenTurn:
    """The first user turn of a chat without a system message, left open.

    `bos` is the tokenizer's begin-of-text token; `field` is the model's path in the spec. Raises BadModel for
    a template that does not mark where the user's words begin and end.
    """
    question = of_texts([(ChatRole.USER, _WORD)])
    try:
        before, found, after = renderer.prompt(question).partition(_WORD)
    except TemplateRefusal as refusal:
        raise _unmarked(field, f"it refuses a lone question: {refusal}") from refusal
    if not found or _WORD in after:
        raise _unmarked(field, "it does not write a question once")
    if before.strip() in ("", bos.strip()):
        raise _unmarked(field, "nothing stands before a question")
    token = next(renderer.control.tokens_in(after), "")
    end = token or next((line.strip() for line in after.splitlines() if line.strip()), "")
    if not end:
        raise _unmarked(field, "nothing stands after a question")
    # Most tokenizers join a space to the word after it: the model has to write it.
    return OpenTurn(prompt=before.rstrip(" "), end=end, ends_with_token=bool(token))


def written_answer(renderer: ChatRenderer, text: str) -> Message:
    """The answer that a model has written after a prompt, its thoughts apart from its words.

    `text` holds its control tokens, but not the one that ends the turn.
    """
    frame = renderer.reasoned_frame
    if frame is not None and frame.between.strip() and frame.between.strip() in text:
        thoughts, _, words = text.partition(frame.between.strip())
        thoughts = thoughts.strip().removeprefix(frame.before.strip())
        return Message(role=ChatRole.ASSISTANT, content=words.strip(), reasoning=thoughts.strip())
    words = text.strip().removeprefix(renderer.frame.before.strip())
    return Message(role=ChatRole.ASSISTANT, content=words.strip())


def _unmarked(field: str, why: str) -> BadModel:
    return BadModel(
        f"{field}: the chat template does not say where a user's words begin and end ({why}), so the model "
        "cannot ask itself: give it questions in selfRehearsal.prompts.uri, or bring general data"
    )
