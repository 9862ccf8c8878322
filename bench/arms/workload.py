"""What every arm of the throughput bench trains: the same weights, examples and settings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from blendtune_api.codec import encode
from blendtune_api.contract import GpuPreset, RunConfig
from blendtune_api.v1alpha1 import (
    Blend,
    BlendedFineTuneSpec,
    BlendedSource,
    Budget,
    ChatTemplate,
    Model,
    Role,
    Source,
    Storage,
    Training,
)
from blendtune_trainer.blending.assemble import SourceExamples, assemble, first_pass
from blendtune_trainer.blending.packed import IGNORED_LABEL, PackedBlend
from blendtune_trainer.tokens.examples import Examples
from blendtune_trainer.tokens.token_cache import Repeats
from blendtune_trainer.tokens.token_files import TokenFiles

SEQUENCE_LENGTH = 512
BINS_PER_STEP = 4
VOCABULARY = 8192
EXAMPLES = 2000  # of each source
SEED = 42
MEDIAN_LENGTHS = {"ads": 120, "general": 60}  # log-normal, sigma 0.8, at most SEQUENCE_LENGTH


def write_model(folder: Path) -> None:
    """A Llama of 7 million parameters with random weights, seeded."""
    write_tokenizer(folder, VOCABULARY)
    torch.manual_seed(SEED)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=256,
            intermediate_size=704,
            num_hidden_layers=6,
            num_attention_heads=8,
            num_key_value_heads=4,
            max_position_embeddings=SEQUENCE_LENGTH,
            bos_token_id=2,
            eos_token_id=2,
            pad_token_id=1,
            tie_word_embeddings=True,
        )
    ).save_pretrained(folder)


def write_tokenizer(folder: Path, vocabulary: int) -> None:
    """A tokenizer of so many tokens that are words."""
    names = ["<unk>", "<pad>", "<eos>", *(f"token{index}" for index in range(vocabulary - 3))]
    words = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", pad_token="<pad>", eos_token="<eos>"
    ).save_pretrained(folder)


def make_blend(folder: Path) -> tuple[PackedBlend, tuple[BlendedSource, ...]]:
    """Both sources once, half of the tokens each; the last three fifths of an example are supervised.

    It is written into `folder`, with what each source contributes to it.
    """
    draw = np.random.default_rng(SEED)
    blend = spec(Path("/nowhere")).blend
    with TokenFiles(folder.with_name("tokens")) as tokens:
        sources = [
            SourceExamples(
                source=source,
                examples=_examples(draw, MEDIAN_LENGTHS[source.name], tokens),
                held_out=np.zeros(EXAMPLES, np.bool_),
            )
            for source in blend.sources
        ]
        start = first_pass(sources, SEED)
        packed, achieved = assemble(sources, None, tokens, blend, SEQUENCE_LENGTH, "bench", start)
        packed.write(folder, tokens.paths)
    return PackedBlend.open(folder), achieved


def write_run(folder: Path, base: Path) -> None:
    """The configuration of our own arm, and the blend in its workspace."""
    config = RunConfig(
        uid="bench",
        namespace="bench",
        name="bench",
        spec=spec(base),
        gpu=GpuPreset(name="cpu", resource_name=None),
    )
    (folder / "config.json").write_text(json.dumps(encode(config)))


def blended_examples(blend: PackedBlend) -> list[tuple[list[int], list[int]]]:
    """Input ids and labels of every placement of the blend."""
    examples = []
    for index in blend.bin_examples:
        here = slice(blend.example_offsets[index], blend.example_offsets[index + 1])
        ids = blend.input_ids[here]
        labels = np.where(blend.supervised[here], ids, IGNORED_LABEL)
        examples.append((ids.tolist(), labels.tolist()))
    return examples


def spec(base: Path) -> BlendedFineTuneSpec:
    roles = {"ads": Role.IN_DOMAIN, "general": Role.GENERAL}
    sources = tuple(
        Source(name=name, role=role, uri=f"file:///nowhere/{name}", weight=1) for name, role in roles.items()
    )
    return BlendedFineTuneSpec(
        model=Model(uri=base.as_uri(), chat_template=ChatTemplate.CHATML),
        blend=Blend(sources=sources, budget=Budget(epochs=1), seed=SEED),
        storage=Storage(persistent_volume_claim="bench"),
        training=Training(sequence_length=SEQUENCE_LENGTH, batch_tokens=BINS_PER_STEP * SEQUENCE_LENGTH),
    )


def _examples(draw: np.random.Generator, median: int, tokens: TokenFiles) -> Examples:
    """Examples of random tokens, which are appended to `tokens`."""
    lengths = np.clip(draw.lognormal(np.log(median), 0.8, EXAMPLES), 16, SEQUENCE_LENGTH).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    position = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    supervised = position >= np.repeat(lengths * 2 // 5, lengths)
    first = tokens.count
    tokens.append(draw.integers(3, VOCABULARY, offsets[-1]).astype(np.int32), supervised)
    counted = np.concatenate([[0], np.cumsum(supervised)])[offsets]
    return Examples(
        offsets=first + offsets,
        supervised_tokens=np.diff(counted),
        keys=draw.integers(0, 2**63, EXAMPLES).astype(np.uint64),
        rows=EXAMPLES,
        dropped=0,
        repeats=Repeats(),
        digest="",
    )
