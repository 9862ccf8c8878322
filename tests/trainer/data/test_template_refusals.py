"""What the named chat templates cannot be used with: roles, tokenizers and answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chat_tokenizers import CHATML_TOKENS, ENDS, LLAMA_3_TOKENS, byte_level_bpe, sentencepiece_bpe
from tests.trainer.data.encoding import (
    CHAT_ML,
    LLAMA_2,
    LLAMA_3,
    VICUNA,
    assistant,
    encode,
    supervised_turns,
    system,
    tokenizer_of,
    user,
)

from blendtune_api.contract import ExitCode
from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.templates import use_chat_template
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.rows.conversations import RowFault


@pytest.mark.parametrize("template", ChatTemplate)
@pytest.mark.parametrize(
    ("roles", "words"),
    [
        pytest.param([user, user, assistant], "turn 2 is by user", id="two questions"),
        pytest.param([system, user, assistant, assistant], "turn 3 is by assistant", id="two answers"),
        pytest.param([assistant, user], "turn 1 is by assistant", id="the answer first"),
    ],
)
def test_an_odd_order_of_roles_is_a_fault_of_its_row(
    template: ChatTemplate, roles: list[Callable[[str], dict[str, str]]], words: str
) -> None:
    outcome = encode(tokenizer_of(byte_level_bpe, template), [role("x") for role in roles])
    assert isinstance(outcome, RowFault)
    assert f"the chat template refuses the conversation: {words}: after an optional system" in str(outcome)


@pytest.mark.parametrize(
    ("special_tokens", "template", "words"),
    [
        pytest.param(
            ENDS,
            CHAT_ML,
            "chatml is built of <|im_end|>, <|im_start|>, which the tokenizer lacks among its special "
            "tokens: use vicuna or llama-2, which it has all tokens for",
            id="chatml on Llama-2",
        ),
        pytest.param(
            (*ENDS, *LLAMA_3_TOKENS[:3]), LLAMA_3, "llama-3 is built of <|eot_id|>, which", id="no eot_id"
        ),
        pytest.param(
            CHATML_TOKENS,
            VICUNA,
            "vicuna is built of eos_token, which the tokenizer lacks",
            id="no end of text",
        ),
        pytest.param((), LLAMA_2, "special tokens: use another model, or leave", id="nothing fits"),
    ],
)
def test_a_template_of_other_tokens_is_refused(
    tmp_path: Path, special_tokens: tuple[str, ...], template: ChatTemplate, words: str
) -> None:
    byte_level_bpe(special_tokens).save_pretrained(tmp_path)
    with pytest.raises(BadConfiguration, match="chatTemplate: ") as raised:
        load_tokenizer(tmp_path, template)
    assert raised.value.exit_code is ExitCode.BAD_CONFIGURATION
    assert words in raised.value.message


def test_a_token_that_is_not_special_will_not_do(tmp_path: Path) -> None:
    tokenizer = byte_level_bpe(ENDS)
    tokenizer.add_tokens(list(CHATML_TOKENS))
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(BadConfiguration, match="lacks among its special tokens"):
        load_tokenizer(tmp_path, CHAT_ML)


def test_an_answer_that_is_joined_to_its_prompt_is_encoded_apart_from_it() -> None:
    tokenizer = sentencepiece_bpe(merged=[("▁", "Z"), (":", "▁Z")])
    use_chat_template(tokenizer, VICUNA)
    assert not isinstance(encode(tokenizer, [user("Zoe: Zoe"), assistant("No: Zoe.")]), RowFault)
    outcome = encode(tokenizer, [user("Who?"), assistant("Me."), user("Who?"), assistant("Zoe.")])
    assert not isinstance(outcome, RowFault)
    assert [supervised_turns(tokenizer, each) for each in outcome] == [[" Me.</s>"], [" Zoe.</s>"]]
    prompt = outcome[1].input_ids[~outcome[1].supervised].tolist()
    assert tokenizer.convert_ids_to_tokens(prompt)[-1] == "▁ASSISTANT:"
