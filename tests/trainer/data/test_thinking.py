"""spec.model.thinking: whether examples hold thoughts, and what the blend says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.tiny_model import build_tokenizer, write_tiny_model
from tests.trainer.data.blends import edit, refusal_of

from blendtune_api.v1alpha1 import Thinking
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.prepare import prepare
from blendtune_trainer.stage import Run

# Hybrid: thoughts stand in the last answer alone, and a switch puts an empty block into the prompt.
HYBRID = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}"
    "<think>\n{{ m.reasoning_content or '' }}\n</think>\n\n{% endif %}"
    "{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
ALWAYS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content.split('</think>')[-1] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)
DATED = "<|im_start|>system\n{{ strftime_now('%d %b %Y') }}<|im_end|>\n"
MakeRun = Callable[..., Run]


@pytest.fixture
def run_of(make_run: MakeRun, tmp_path: Path) -> Callable[..., Run]:
    """A run with a base model of a given template, and a mode of thinking."""

    def make(template: str, thinking: Thinking = Thinking.AUTO) -> Run:
        folder = tmp_path / "thinker"
        if not folder.exists():
            write_tiny_model(folder, build_tokenizer(template))

        def change(document: dict[str, Any]) -> None:
            edit("model.uri", f"file://{folder}")(document)
            edit("model.thinking", thinking.value)(document)

        return make_run(change)

    return make


def rewrite(data: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Changes every row of both sources."""
    for path in (data / "ads.jsonl", data / "general.jsonl"):
        rows = [change(json.loads(line)) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def reasoned_row(data: Path) -> None:
    """The answer to the last question about `ads` has thoughts."""

    def change(row: dict[str, Any]) -> dict[str, Any]:
        asked, answer = row["messages"]
        if "Question 39 about ads" in asked["content"]:
            answer = {**answer, "reasoning_content": "Let me see."}
        return {"messages": [asked, answer]}

    rewrite(data, change)


def texts(run: Run) -> str:
    packed = PackedBlend.open(run.workspace.blend)
    return str(build_tokenizer(HYBRID).decode(packed.input_ids.tolist()))


@pytest.mark.usefixtures("reasoned_row")
@pytest.mark.parametrize(
    ("template", "thinking", "resolved", "kept"),
    [
        pytest.param(HYBRID, Thinking.AUTO, Thinking.ON, True, id="auto: rows have thoughts"),
        pytest.param(HYBRID, Thinking.ON, Thinking.ON, True, id="on"),
        pytest.param(HYBRID, Thinking.OFF, Thinking.OFF, False, id="off"),
        pytest.param(ALWAYS, Thinking.AUTO, Thinking.ON, True, id="auto: always thinks"),
    ],
)
def test_rows_with_thoughts(
    run_of: Callable[..., Run], template: str, thinking: Thinking, resolved: Thinking, kept: bool
) -> None:
    run = run_of(template, thinking)
    result = prepare(run)
    assert result.thinking is resolved
    assert ("Let me see." in texts(run)) == kept
    said = "the reasoning of 1 rows is left out, as spec.model.thinking: off says"
    assert (said in result.warnings) == (not kept)


@pytest.mark.parametrize(
    ("template", "thinking", "resolved"),
    [
        pytest.param(HYBRID, Thinking.AUTO, Thinking.OFF, id="auto: no thoughts"),
        pytest.param(HYBRID, Thinking.ON, Thinking.ON, id="on: empty thoughts"),
        pytest.param(ALWAYS, Thinking.AUTO, Thinking.ON, id="auto: always thinks"),
    ],
)
def test_rows_without_thoughts(
    run_of: Callable[..., Run], template: str, thinking: Thinking, resolved: Thinking
) -> None:
    result = prepare(run_of(template, thinking))
    assert result.thinking is resolved
    assert result.warnings == ()


@pytest.mark.parametrize(
    ("template", "thinking", "words"),
    [
        pytest.param(ALWAYS, Thinking.OFF, "open a think block and nothing turns that off", id="cannot stop"),
        pytest.param(
            DATED + HYBRID.replace("think", "hum"), Thinking.ON, "knows no thoughts", id="cannot think"
        ),
    ],
)
def test_a_mode_that_the_template_does_not_know_is_refused(
    run_of: Callable[..., Run], template: str, thinking: Thinking, words: str
) -> None:
    if thinking is Thinking.ON:
        template = template.replace("m.reasoning_content or ''", "''")
    refused = refusal_of(run_of(template, thinking), BadConfiguration)
    assert refused.message.startswith("spec.model.thinking: ") and words in refused.message


def test_examples_of_single_answers_are_told_with_their_price(run_of: Callable[..., Run], data: Path) -> None:
    turns = [("user", "One?"), ("assistant", "1."), ("user", "2?"), ("assistant", "2.")]
    messages = [{"role": role, "content": content} for role, content in turns]
    rewrite(data, lambda _: {"messages": messages})
    result = prepare(run_of(HYBRID))
    (warning,) = result.warnings
    assert "each of the 380 answers of 190 rows is an example of its own" in warning
    first = "<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n1.<|im_end|>"
    repeated = 190 * len(build_tokenizer(HYBRID)(first, add_special_tokens=False).input_ids)
    assert f"{repeated:,} of " in warning


def test_the_date_of_the_run_decides_the_blend(run_of: Callable[..., Run]) -> None:
    run = run_of(DATED + HYBRID)
    run = replace(run, config=replace(run.config, date="2026-02-03"))
    result = prepare(run)
    assert result.date == "2026-02-03"
    assert "03 Feb 2026" in texts(run)


def test_what_renders_is_part_of_the_blend(run_of: Callable[..., Run]) -> None:
    digests = {
        prepare(replace_uid(run_of(HYBRID, mode), mode)).rendering for mode in (Thinking.ON, Thinking.OFF)
    }
    assert len(digests) == 2


def replace_uid(run: Run, mode: Thinking) -> Run:
    """The run in a workspace of its own."""
    return replace(run, config=replace(run.config, name=f"run-{mode.value}"))
