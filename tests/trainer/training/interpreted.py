"""A program: what models compute with Liger's kernels, by Triton's interpreter on a CPU, and without them.

Prints, by model type as JSON, the losses of one packed row, how far the gradients are apart, and the bytes
that autograd keeps of four layers. To be started with TRITON_INTERPRET=1, which the kernels read at import.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
import triton.language as tl
from liger_kernel.ops import geglu, rms_norm
from tests.core.sizing.kept import SMALL, kept_by_layers
from tests.trainer.training.rows import row
from transformers import AutoConfig, AutoModelForCausalLM
from triton.runtime import interpreter

from blendtune_api.v1alpha1 import Attention
from blendtune_trainer.model.attention import attend_within_examples
from blendtune_trainer.model.kernels import fuse
from blendtune_trainer.training.loss import SupervisedLoss
from blendtune_trainer.training.microbatch import forward

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 64,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
LENGTHS = [4, 1, 6]
KEPT_TOKENS = 8  # the interpreter takes a millisecond for each and each kernel


def teach_the_interpreter() -> None:
    """What compiled kernels have and interpreted ones do not: numbers as tensors, CUDA's own functions."""
    convert = interpreter._implicit_cvt

    def with_numbers(argument: Any) -> Any:
        if not isinstance(argument, float):
            return convert(argument)
        handle = interpreter.TensorHandle(np.array([argument], dtype=np.float32), tl.float32)
        return tl.tensor(handle, tl.float32)

    interpreter._implicit_cvt = with_numbers
    rms_norm.rsqrt = lambda values: tl.rsqrt(values)  # looked up when called: the interpreter replaces it
    geglu.tanh = lambda values: 2 * tl.sigmoid(2 * values) - 1


def compare(model_type: str) -> dict[str, Any]:
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **SIZES)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    attend_within_examples(model, max(LENGTHS))
    ids = torch.randint(1, 64, (sum(LENGTHS),), generator=torch.Generator().manual_seed(1))

    def outcome() -> tuple[float, torch.Tensor]:
        loss = forward(SupervisedLoss(model), row(ids, LENGTHS))
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        return loss.item(), torch.cat([gradient.flatten() for gradient in gradients])

    plain, expected = outcome()
    fuse(model)
    fused, gradient = outcome()
    names = {module._get_name() for module in model.modules()}
    return {
        "plain": plain,
        "fused": fused,
        "gradientsApart": float((gradient - expected).abs().max() / expected.abs().max()),
        "liger": sorted(name for name in names if name.startswith("Liger")),
    }


def main() -> None:
    teach_the_interpreter()
    result = {model_type: compare(model_type) for model_type in sys.argv[1:]}
    shape = SMALL | {"model_type": "llama", "num_key_value_heads": 2}
    kept = kept_by_layers(shape, Attention.SDPA, 4, False, tokens=KEPT_TOKENS, prepare=fuse)
    print(json.dumps({"models": result, "kept": {"tokens": KEPT_TOKENS, "bytes": kept}}))


if __name__ == "__main__":
    main()
