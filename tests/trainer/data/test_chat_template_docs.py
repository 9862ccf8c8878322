"""docs/chat-templates.md shows what the named templates are and need."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.chat_tokenizers import ENDS, EVERY_TOKEN, byte_level_bpe

from blendtune_api.v1alpha1 import ChatTemplate
from blendtune_runtime.chat.templates import MissingTokens, use_chat_template

DOCUMENT = (Path(__file__).parents[3] / "docs/chat-templates.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"^### ([\w-]+)\n.*?^```\n(.+?)\n```$", DOCUMENT, re.MULTILINE | re.DOTALL))
NEEDED = dict(re.findall(r"^\| `([\w-]+)` \|.+\| (.+) \|$", DOCUMENT, re.MULTILINE))
CONVERSATION = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi?"},
    {"role": "assistant", "content": "Yes."},
]


def test_every_template_is_shown() -> None:
    assert set(SHOWN) == set(NEEDED) == set(ChatTemplate)


@pytest.mark.parametrize("template", ChatTemplate)
def test_the_text_is_as_shown(template: ChatTemplate) -> None:
    tokenizer = byte_level_bpe()
    use_chat_template(tokenizer, template)
    assert tokenizer.apply_chat_template(CONVERSATION, tokenize=False).rstrip("\n") == SHOWN[template]


@pytest.mark.parametrize("template", ChatTemplate)
def test_the_needed_tokens_are_as_shown(template: ChatTemplate) -> None:
    named = [token.replace("\\", "") for token in re.findall(r"`(.+?)`", NEEDED[template])]
    needed = named or [ENDS[1]]
    use_chat_template(byte_level_bpe(needed), template)
    for lacking in needed:
        with pytest.raises(MissingTokens):
            use_chat_template(byte_level_bpe([token for token in EVERY_TOKEN if token != lacking]), template)
