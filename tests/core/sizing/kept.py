"""What autograd keeps of a model's layers, beside which the sizing of activations is tested."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from tests.trainer.training.rows import row_examples
from transformers import AutoConfig, AutoModelForCausalLM

from blendtune_api.v1alpha1 import Attention
from blendtune_trainer.model.attention import attend_within_examples, example_arguments

TOKENS = 256
SMALL = {
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_attention_heads": 4,
    "head_dim": 64,
    "num_hidden_layers": 4,
    "vocab_size": 500,
}


def kept_by_layers(
    config: dict[str, Any],
    attention: Attention,
    element: int,
    checkpointing: bool,
    lora: LoraConfig | None = None,
    *,
    tokens: int = TOKENS,
    prepare: Callable[[Any], None] | None = None,
) -> int:
    """Bytes that the backward pass of four layers needs, weights not counted: eight layers' less four's.

    The row has `tokens`, a multiple of 4, in four examples; `prepare` may change the model.
    """
    torch.manual_seed(0)
    totals = []
    for layers in (4, 8):
        settings = AutoConfig.for_model(**config | {"num_hidden_layers": layers})
        dtype = torch.bfloat16 if element == 2 else torch.float32
        model = AutoModelForCausalLM.from_config(settings, dtype=dtype, attn_implementation=str(attention))
        if attention is Attention.SDPA:
            attend_within_examples(model, tokens)
        if lora is not None:
            model = get_peft_model(model, lora, autocast_adapter_dtype=False)
        if prepare is not None:
            prepare(model)
        model.train()
        if checkpointing:
            model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
        own = {weight.untyped_storage().data_ptr() for weight in (*model.parameters(), *model.buffers())}
        each = tokens // 4
        row = torch.arange(tokens)[None]
        with _saved() as storages:
            lengths = example_arguments(model, row % each, row_examples([each] * 4))
            logits = model(row, position_ids=row % each, use_cache=False, logits_to_keep=1, **lengths).logits
        assert logits.requires_grad
        totals.append(sum(size for place, size in storages.items() if place not in own))
    return totals[1] - totals[0]


@contextmanager
def _saved() -> Iterator[dict[int, int]]:
    """Storages that autograd saves meanwhile: address and size."""
    storages: dict[int, int] = {}
    alive = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)  # its address is not to be used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield storages
