"""What the divergence costs: CPU seconds of a validation without it, of taking it down, and with it.

    python bench/divergence_cost.py [MODEL]

MODEL is a folder; by default a Llama of 32 million random parameters with a vocabulary of 49,152.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from blendtune_api.v1alpha1 import COMPARED_POSITIONS, Role
from blendtune_trainer.blending.packed import IGNORED_LABEL, Bin
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.training.base_predictions import Recording
from blendtune_trainer.training.compared import ComparedPositions
from blendtune_trainer.training.divergence import Compared, Comparison
from blendtune_trainer.training.loss import SupervisedLoss
from blendtune_trainer.training.microbatch import assemble, evaluating, forward

BINS, LENGTH = 6, 512  # half of the tokens supervised


class Alone(Ranks):
    """One rank without a process group."""

    def sum_arrays(self, values: torch.Tensor) -> torch.Tensor:
        return values


def main(folder: Path | None) -> None:
    torch.manual_seed(0)
    loss = SupervisedLoss(_model(folder))
    vocabulary = loss.model.config.vocab_size
    bins = [_bin(index, vocabulary) for index in range(BINS)]
    each = LENGTH // 2
    positions = ComparedPositions(
        roles=(Role.GENERAL,) * BINS,
        offsets=np.arange(BINS + 1, dtype=np.int64) * each,
        ordinals=np.tile(np.arange(each), BINS),
    )
    alone = Alone(rank=0, world_size=1, device=torch.device("cpu"))
    recording = Recording(positions, vocabulary)
    _seconds(loss, bins[:1], None)  # warm
    plain = _seconds(loss, bins, None)
    taken = _seconds(loss, bins, recording.read)
    comparison = Comparison(Compared(positions=positions, base=recording.finish(alone)))
    compared = _seconds(loss, bins, comparison.read)
    count = len(positions)
    print(f"{BINS} bins of {LENGTH} tokens, {count:,} positions compared, vocabulary {vocabulary:,}")
    print(f"validation alone                       {plain:6.2f} CPU s")
    print(f"taking down what the base predicts     {taken:6.2f} CPU s")
    print(f"validation with the divergence         {compared:6.2f} CPU s ({compared / plain - 1:+.0%})")
    extra = 1e6 * (compared - plain) / count
    most = 2 * COMPARED_POSITIONS * extra / 1e6
    print(f"a position costs {extra:.0f} CPU microseconds, the most positions {most:.1f} s")


def _model(folder: Path | None) -> Any:
    if folder is not None:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LlamaConfig(
        vocab_size=49_152, hidden_size=384, intermediate_size=1024, num_hidden_layers=8,
        num_attention_heads=6, num_key_value_heads=6, tie_word_embeddings=True,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def _bin(seed: int, vocabulary: int) -> Bin:
    tokens = np.random.default_rng(seed).integers(0, vocabulary, LENGTH)
    labels = np.where(np.arange(LENGTH) >= LENGTH // 2, tokens, IGNORED_LABEL)
    return Bin(
        input_ids=tokens, labels=labels, position_ids=np.arange(LENGTH), sources=np.zeros(LENGTH, np.int16)
    )


def _seconds(
    loss: SupervisedLoss, bins: list[Bin], read: Callable[[int, torch.Tensor], None] | None
) -> float:
    started = time.process_time()
    with evaluating(loss):
        for index, contents in enumerate(bins):
            own = None if read is None else lambda logits, index=index: read(index, logits)
            forward(loss, assemble([contents], torch.device("cpu")), own)
    return time.process_time() - started


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
