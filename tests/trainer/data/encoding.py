"""Conversations, and what a ChatEncoder makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.chat_tokenizers import byte_level_bpe, sentencepiece_bpe, unigram
from transformers import PreTrainedTokenizerFast

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.conversation import ChatRole, Conversation, of_texts
from blendtune_runtime.chat.templates import use_chat_template
from blendtune_trainer.rows.conversations import RowFault
from blendtune_trainer.tokens.chat import ChatEncoder, EncodedExample

VICUNA, LLAMA_2, CHAT_ML, LLAMA_3 = ChatTemplate
TokenizerFamily = Callable[..., PreTrainedTokenizerFast]
Turns = Sequence[Mapping[str, str]]  # as transformers takes them: {"role": ..., "content": ...}
FAMILIES: tuple[TokenizerFamily, ...] = (byte_level_bpe, unigram, sentencepiece_bpe)
_ENCODERS: dict[tuple[int, str], ChatEncoder] = {}
_TOKENIZERS: dict[TokenizerFamily, PreTrainedTokenizerFast] = {}


def system(content: str) -> dict[str, str]:
    return {"role": "system", "content": content}


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


ONE_TURN = [user("Hi?"), assistant("Yes.")]
TWO_TURNS = [system("Be kind."), user("Hi?"), assistant("Yes."), user("And?"), assistant("No.")]
PADDED = [system(" Be\n"), user("\n Hi? "), assistant(" Yes.\n")]


def tokenizer_of(family: TokenizerFamily, template: ChatTemplate) -> PreTrainedTokenizerFast:
    """The tokenizer of a family, trained once, with the template."""
    tokenizer = _TOKENIZERS[family] = _TOKENIZERS.get(family) or family()
    use_chat_template(tokenizer, template)
    return tokenizer


def conversation(turns: Turns) -> Conversation:
    return of_texts([(ChatRole(turn["role"]), turn["content"]) for turn in turns])


def encode(tokenizer: PreTrainedTokenizerFast, turns: Turns) -> tuple[EncodedExample, ...] | RowFault:
    """The examples of a conversation, or why it cannot be learnt from."""
    key = id(tokenizer), tokenizer.chat_template
    encoder = _ENCODERS[key] = _ENCODERS.get(key) or ChatEncoder(tokenizer)
    (outcome,) = encoder.encode([conversation(turns)])
    return outcome


def encoded(tokenizer: PreTrainedTokenizerFast, turns: Turns) -> EncodedExample:
    """The encoded conversation, which must be learnt from as one example."""
    outcome = encode(tokenizer, turns)
    assert not isinstance(outcome, RowFault), outcome
    (example,) = outcome
    return example


def supervised_turns(tokenizer: PreTrainedTokenizerFast, outcome: EncodedExample) -> list[str]:
    """The text of each stretch of supervised tokens."""
    turns: list[list[int]] = []
    previous = False
    for token, supervised in zip(outcome.input_ids.tolist(), outcome.supervised.tolist(), strict=True):
        if supervised and not previous:
            turns.append([])
        if supervised:
            turns[-1].append(token)
        previous = supervised
    return [str(tokenizer.decode(turn, clean_up_tokenization_spaces=False)) for turn in turns]
