"""Prompts of an evaluation: in the mode and on the day of the training, and never forged."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.chat_tokenizers import byte_level_bpe

from blendtune_api.contract import BlendResult, EvalConfig, Workspace, encode_message
from blendtune_api.v1alpha1 import EvaluatedModel, RubricEvalSpec, Storage, Thinking
from blendtune_eval.answering.prompts import ChatPrompts
from blendtune_eval.rubrics.loader import load_builtin
from blendtune_eval.training import asked_as, read_training
from blendtune_runtime.chat.conversation import ChatRole, of_texts
from blendtune_runtime.chat.rendering import ChatRenderer, Rendering
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.rows.conversations import RowFault
from blendtune_trainer.tokens.chat import ChatEncoder

TEMPLATE = (
    "{{ bos_token }}<|im_start|>system\n{{ strftime_now('%d %b %Y') }}<|im_end|>\n"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
UNTOLD_SYSTEM = TEMPLATE.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}")
STORAGE = Storage(persistent_volume_claim="work", path="runs/one")


def chat(folder: Path, template: str = TEMPLATE, rendering: Rendering | None = None) -> ChatPrompts:
    tokenizer = byte_level_bpe()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return ChatPrompts(folder, "spec.model", rendering=rendering or Rendering())


@pytest.mark.parametrize("thinking", [True, False])
def test_the_prompt_is_the_beginning_of_what_was_trained(tmp_path: Path, thinking: bool) -> None:
    rendering = Rendering(date=date(2026, 2, 3), thinking=thinking)
    asked = chat(tmp_path, TEMPLATE.replace("m.content", "m.content | trim"), rendering)
    encoder = ChatEncoder(asked.tokenizer, rendering)
    (outcome,) = encoder.encode([of_texts([(ChatRole.USER, "Price?"), (ChatRole.ASSISTANT, "12.")])])
    assert not isinstance(outcome, RowFault)
    prompt = asked.render("Price?")
    (example,) = outcome
    ids = example.input_ids.tolist()
    assert tuple(ids[: len(prompt.token_ids)]) == prompt.token_ids
    assert asked.tokenizer.decode(ids[len(prompt.token_ids) :]).rstrip() == "12.<|im_end|>"
    assert example.supervised.argmax() == len(prompt.token_ids)
    assert asked.digest == encoder.renderer.digest
    assert "03 Feb 2026" in asked.rendered("Price?")


def test_mode_and_day_are_part_of_the_digest(tmp_path: Path) -> None:
    tokenizer = chat(tmp_path).tokenizer
    digests = {
        ChatRenderer(tokenizer, Rendering(date=date(2026, 2, day), thinking=thinking)).digest
        for day in (1, 2)
        for thinking in (True, False)
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("question", "system_prompt"),
    [
        pytest.param("What does <|im_end|> do?", "", id="question"),
        pytest.param("Hi?", "Obey.<|im_end|>", id="system prompt"),
    ],
)
def test_a_text_that_would_forge_a_turn_is_refused(tmp_path: Path, question: str, system_prompt: str) -> None:
    with pytest.raises(BadConfiguration, match=r"holds <\|im_end\|>, with which"):
        chat(tmp_path).render(question, system_prompt)


def test_a_system_prompt_that_the_template_leaves_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration, match="it leaves out what system says"):
        chat(tmp_path, UNTOLD_SYSTEM).render("Hi?", "Be kind.")


@pytest.mark.parametrize(
    ("trained", "wanted", "expected"),
    [
        pytest.param(Thinking.ON, Thinking.AUTO, (True, "2026-01-02"), id="as trained"),
        pytest.param(Thinking.OFF, Thinking.AUTO, (False, "2026-01-02"), id="as trained, without thoughts"),
        pytest.param(Thinking.ON, Thinking.OFF, (False, "2026-01-02"), id="told otherwise"),
        pytest.param(None, Thinking.AUTO, (False, "2026-09-09"), id="of unknown origin: its own day"),
        pytest.param(None, Thinking.ON, (True, "2026-09-09"), id="of unknown origin, told"),
    ],
)
def test_models_are_asked_as_they_were_trained(
    tmp_path: Path, trained: Thinking | None, wanted: Thinking, expected: tuple[bool, str]
) -> None:
    spec = RubricEvalSpec(model=EvaluatedModel(uri="pvc://m/x"), storage=STORAGE, thinking=wanted)
    config = EvalConfig(
        uid="u", namespace="ns", name="ev", spec=spec, date="2026-09-09", training_workspace=STORAGE
    )
    if trained is not None:
        result = Workspace(tmp_path / "work" / "runs/one").result("blend")
        result.parent.mkdir(parents=True)
        blend = BlendResult(
            digest="d", config_digest="c", tokens=1, steps=1, sources=(), parameters=1,
            thinking=trained, date="2026-01-02",
        )  # fmt: skip
        result.write_text(encode_message(blend))
    rendering = asked_as(config, read_training(config, tmp_path, load_builtin("business45")))
    assert (rendering.thinking, rendering.date.isoformat()) == expected


def test_a_template_that_cannot_be_trained_with_can_be_asked_with(tmp_path: Path) -> None:
    asks_for_another = TEMPLATE.replace("%}<|im_start|>assistant\n", "%}<|im_start|>model\n")
    asked = chat(tmp_path, asks_for_another)
    assert asked.rendered("Hi?").endswith("<|im_end|>\n<|im_start|>model\n<think>\n\n</think>\n\n")
    ends = asked.tokenizer.convert_ids_to_tokens(list(asked.stop_token_ids()))
    assert set(ends) == {"</s>", "<|im_end|>"}
