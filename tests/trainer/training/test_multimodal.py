"""A Gemma 3 that also reads images is trained as a model of text: its other parts stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.tiny_model import CHATML, build_tokenizer
from tests.trainer.training.runs import Run
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

from blendtune_api.v1alpha1 import DeepSpeed, Lora, Method
from blendtune_trainer.model.base_model import empty_model
from blendtune_trainer.model.lora import linear_layers

pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gemma")
    tokenizer = build_tokenizer(CHATML)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text('{"image_processor_type": "Gemma3ImageProcessor"}')
    sizes: dict[str, Any] = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    }  # fmt: skip
    text = {"vocab_size": len(tokenizer), "num_key_value_heads": 1, "head_dim": 8, "sliding_window": 16}
    config = Gemma3Config(
        text_config=sizes | text,
        vision_config=sizes | {"image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4, image_token_index=5, boi_token_index=6, eoi_token_index=7,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Gemma3ForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "training",
    [
        pytest.param({"deepspeed": DeepSpeed(stage=1)}, id="full"),
        pytest.param({"deepspeed": DeepSpeed(stage=3)}, id="full, ZeRO-3"),
        pytest.param({"method": Method.LORA, "lora": Lora(rank=2), "learning_rate": 3e-2}, id="LoRA"),
    ],
)
def test_only_the_language_model_learns(
    make_run: Callable[..., Run], gemma: Path, training: dict[str, Any]
) -> None:
    run = make_run(weight_decay=0.5, **training).with_model(gemma)
    assert run.train() == [0], run.log_of(0)
    assert run.losses()[-1] < run.losses()[0]
    before, after = (load_file(folder / "model.safetensors") for folder in (gemma, run.workspace.model))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert not [name for name in changed if "vision" in name or "projector" in name]
    assert (run.workspace.model / "preprocessor_config.json").is_file()


def test_a_lora_adapts_layers_of_text_alone(gemma: Path) -> None:
    layers = linear_layers(empty_model(gemma))
    assert len(layers) == 2 * 7
    assert not [name for name in layers if "vision" in name]
