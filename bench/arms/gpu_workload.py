"""What the GPU bench trains: models of known shapes with random weights, and bins of random examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blendtune_api.contract import GpuPreset, RunConfig
from blendtune_api.v1alpha1 import (
    ActivationCheckpointing,
    Attention,
    Blend,
    BlendedFineTuneSpec,
    Budget,
    ChatTemplate,
    Cluster,
    DeepSpeed,
    Kernels,
    Method,
    Model,
    Role,
    Source,
    Storage,
    Training,
)
from blendtune_trainer.blending.pack import fill
from blendtune_trainer.blending.packed import PackedBlend

SEED = 42
# The sizes of Qwen2.5 0.5B and 1.5B and of LLaMA 7B; `tiny` is for the dry run.
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 512,
    },
    "played": {  # for bench/nodes.py: matrices as in a large model, of few enough bytes for slow links
        "model_type": "llama", "hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 2,
        "num_attention_heads": 8, "num_key_value_heads": 8, "vocab_size": 512,
    },
    "0.5B": {
        "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151_936,
        "tie_word_embeddings": True,
    },
    "1.5B": {
        "model_type": "qwen2", "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
        "num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151_936,
        "tie_word_embeddings": True,
    },
    "7B": {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 11_008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 32, "vocab_size": 32_000,
    },
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One training of the bench."""

    shape: str
    sequence_length: int
    stage: int = 1
    method: str = "full"
    attention: str = "auto"
    recompute: str = "auto"
    kernels: str = "none"
    parity: bool = False  # also compare the first loss with fp32 on the CPU
    resume: bool = False  # also save, load and go on
    tokens_per_step: int = 32_768
    warm_up_steps: int = 2
    steps: int = 4

    @property
    def name(self) -> str:
        more = [self.attention] if self.attention != "auto" else []
        more += [self.kernels] if self.kernels != "none" else []
        more += [f"recompute {self.recompute}"] if self.recompute != "auto" else []
        return ", ".join([f"{self.shape} x {self.sequence_length}", f"ZeRO-{self.stage}", self.method, *more])

    @property
    def total_steps(self) -> int:
        return self.warm_up_steps + self.steps


def write_model(folder: Path, shape: str) -> None:
    """A model of this shape in `folder`, in bf16, unless it is there."""
    if (folder / "config.json").exists():
        return
    torch.manual_seed(SEED)
    config = AutoConfig.for_model(**SHAPES[shape], max_position_embeddings=8192)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(folder)


def run_config(cell: Cell, base: Path, preset: GpuPreset) -> RunConfig:
    training = Training(
        method=Method(cell.method),
        sequence_length=cell.sequence_length,
        batch_tokens=max(1, cell.tokens_per_step // cell.sequence_length) * cell.sequence_length,
        attention=Attention(cell.attention),
        activation_checkpointing=ActivationCheckpointing(cell.recompute),
        kernels=Kernels(cell.kernels),
        deepspeed=DeepSpeed(stage=cell.stage),
    )
    source = Source(name="random", role=Role.IN_DOMAIN, uri="file:///nowhere", weight=1)
    spec = BlendedFineTuneSpec(
        model=Model(uri=base.as_uri(), chat_template=ChatTemplate.CHATML),
        blend=Blend(sources=(source,), budget=Budget(epochs=1)),
        storage=Storage(persistent_volume_claim="bench"),
        training=training,
        cluster=Cluster(nodes=1, gpus_per_node=1, gpu_type=preset.name),
    )
    return RunConfig(uid="bench", namespace="bench", name="bench", spec=spec, gpu=preset)


def random_blend(vocabulary: int, sequence_length: int, bins: int) -> PackedBlend:
    """So many packed bins of random examples: log-normal lengths around a fifth of a bin, all supervised."""
    draw = np.random.default_rng(SEED)
    lengths = np.empty(0, np.int64)
    packed: list[list[int]] = []
    while len(packed) < bins + 1:
        more = draw.lognormal(np.log(sequence_length / 5), 0.8, 8 * (bins + 1))
        lengths = np.append(lengths, np.clip(more, 8, sequence_length).astype(np.int64))
        packed = [list(each) for each in fill(lengths, sequence_length)]
    chosen = sorted(packed, key=lambda each: -int(lengths[each].sum()))[:bins]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return PackedBlend(
        input_ids=draw.integers(3, vocabulary, offsets[-1]).astype(np.int32),
        supervised=np.ones(offsets[-1], np.bool_),
        example_offsets=offsets,
        example_sources=np.zeros(len(lengths), np.int16),
        bin_examples=np.concatenate(chosen).astype(np.int32),
        bin_offsets=np.cumsum([0, *map(len, chosen)]),
        validation_bin_examples=np.empty(0, np.int32),
        validation_bin_offsets=np.zeros(1, np.int64),
        validation_bin_sources=np.empty(0, np.int16),
        source_names=("random",),
        sequence_length=sequence_length,
        digest="bench",
    )


def mean_context(blend: PackedBlend) -> float:
    """Length of the example that a token is of, on average over the tokens."""
    lengths = np.diff(blend.example_offsets)[blend.bin_examples].astype(float)
    return float((lengths**2).sum() / lengths.sum())
