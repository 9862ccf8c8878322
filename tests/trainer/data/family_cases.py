"""What is to be learnt of each model family, and what a ChatEncoder makes of its conversations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import pytest
from tests.trainer.data.encoding import supervised_turns
from tests.trainer.data.families import tokenizer_of

from blendtune_runtime.chat.conversation import ChatRole, Conversation, Message
from blendtune_runtime.chat.rendering import Rendering
from blendtune_trainer.rows.conversations import RowFault
from blendtune_trainer.tokens.chat import ChatEncoder, EncodedExample

TODAY = date(2026, 3, 14)


def system(content: str) -> Message:
    return Message(role=ChatRole.SYSTEM, content=content)


def user(content: str) -> Message:
    return Message(role=ChatRole.USER, content=content)


def assistant(content: str, reasoning: str = "", supervised: bool = True) -> Message:
    return Message(role=ChatRole.ASSISTANT, content=content, reasoning=reasoning, supervised=supervised)


@cache
def encoder_of(family: str, thinking: bool) -> ChatEncoder:
    return ChatEncoder(tokenizer_of(family), Rendering(date=TODAY, thinking=thinking))


def encode(family: str, thinking: bool, *messages: Message, tools: Any = ()) -> list[EncodedExample]:
    """The examples of a conversation, which must be learnt from."""
    conversation = Conversation(messages=messages, tools=tools)
    (outcome,) = encoder_of(family, thinking).encode([conversation])
    assert not isinstance(outcome, RowFault), outcome
    return list(outcome)


def refusal(family: str, thinking: bool, *messages: Message, tools: Any = ()) -> str:
    """Why a conversation is refused."""
    (outcome,) = encoder_of(family, thinking).encode([Conversation(messages=messages, tools=tools)])
    assert isinstance(outcome, RowFault)
    return str(outcome)


def learnt(family: str, examples: list[EncodedExample]) -> list[str]:
    return [turn for each in examples for turn in supervised_turns(tokenizer_of(family), each)]


TWO_TURNS = (
    system("Be brief."),
    user("Do you mend kettles?"),
    assistant("We do: ☕🙂"),
    user("Today?"),
    assistant("Là, 日本."),
)
QWEN_END, DEEPSEEK_END = "<|im_end|>", "<｜end▁of▁sentence｜>"
ANALYSIS, FINAL = "<|channel|>analysis<|message|>", "<|channel|>final<|message|>"


@dataclass(frozen=True)
class Case:
    """A family in one mode."""

    family: str
    thinking: bool
    examples: int  # of TWO_TURNS
    form: str  # what is learnt of an answer
    reasoned: str | None  # and of one with thoughts


FORMS = [
    pytest.param(
        Case("llama3", False, 1, "{words}<|eot_id|>", None), id="llama3, always adds a generation prompt"
    ),
    pytest.param(Case("llama3_1", False, 1, "{words}<|eot_id|>", None), id="llama3_1"),
    pytest.param(Case("llama3_1-dated", False, 1, "{words}<|eot_id|>", None), id="llama3_1-dated"),
    pytest.param(Case("gemma3", False, 1, "{words}<end_of_turn>", None), id="gemma3"),
    pytest.param(Case("phi", False, 1, "{words}<|end|>", None), id="phi, closes with end of text"),
    pytest.param(Case("mistral", False, 1, " {words}</s>", None), id="mistral, system in the first question"),
    pytest.param(
        Case("mistral-system-last", False, 2, " {words}</s>", None), id="mistral, system in the last question"
    ),
    pytest.param(Case("deepseek_v3", False, 1, "{words}" + DEEPSEEK_END, None), id="deepseek_v3"),
    pytest.param(Case("qwen3", False, 2, "{words}" + QWEN_END, None), id="qwen3"),
    pytest.param(
        Case(
            "qwen3",
            True,
            2,
            "<think>\n\n</think>\n\n{words}" + QWEN_END,
            "<think>\n{thoughts}\n</think>\n\n{words}" + QWEN_END,
        ),
        id="qwen3, thinking",
    ),
    pytest.param(Case("qwen-opens-thoughts", False, 2, "{words}" + QWEN_END, None), id="qwen-opens-thoughts"),
    pytest.param(
        Case(
            "qwen-opens-thoughts",
            True,
            2,
            "\n</think>\n\n{words}" + QWEN_END,
            "{thoughts}\n</think>\n\n{words}" + QWEN_END,
        ),
        id="qwen-opens-thoughts, thinking",
    ),
    pytest.param(
        Case(
            "r1",
            True,
            2,
            "\n</think>\n\n{words}" + DEEPSEEK_END,
            "{thoughts}\n</think>\n\n{words}" + DEEPSEEK_END,
        ),
        id="r1, strikes thoughts out",
    ),
    pytest.param(Case("deepseek-v3.1", False, 1, "{words}" + DEEPSEEK_END, None), id="deepseek-v3.1"),
    pytest.param(
        Case(
            "deepseek-v3.1",
            True,
            2,
            "</think>{words}" + DEEPSEEK_END,
            "{thoughts}</think>{words}" + DEEPSEEK_END,
        ),
        id="deepseek-v3.1, thinking",
    ),
    pytest.param(
        Case(
            "gptoss",
            True,
            2,
            FINAL + "{words}<|return|>",
            ANALYSIS + "{thoughts}<|end|><|start|>assistant" + FINAL + "{words}<|return|>",
        ),
        id="gptoss, channels",
    ),
]
