"""A small model with random weights of the same architecture as the base model, to try things on."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

VOCABULARY = 128
_MOST_PARAMETERS = 100_000_000
_WEIGHT = 0.3  # standard deviation: large enough for attention to show in the loss
_WIDTH = 64
_WIDTHS = (
    "intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size", "n_inner", "ffn_dim",
    "ffn_hidden_size", "intermediate_size_mlp",
)  # fmt: skip
_MOST = {
    "num_local_experts": 8, "num_experts": 8, "n_routed_experts": 8, "num_experts_per_tok": 2, "n_group": 2,
    "topk_group": 1, "first_k_dense_replace": 1, "q_lora_rank": 32, "kv_lora_rank": 32,
}  # fmt: skip


class CannotShrink(Exception):
    """The architecture has sizes that depend on each other in ways not known here."""


def small_copy(base: Path, folder: Path) -> None:
    """Writes a small model of the type and with the tokenizer of the one in `base`. Raises CannotShrink.

    It has a layer of each kind, two heads or four, and random weights.
    """
    folder.mkdir()
    for file in base.iterdir():
        if file.is_file() and file.suffix not in (".safetensors", ".bin") and "index" not in file.name:
            shutil.copyfile(file, folder / file.name)
    for subfolder in filter(Path.is_dir, base.glob("additional_chat_templates")):
        shutil.copytree(subfolder, folder / subfolder.name)
    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    try:
        shrink(config)
        with torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        if empty.num_parameters() > _MOST_PARAMETERS:
            raise CannotShrink(f"{empty.num_parameters():,} parameters")
        model = _random(config)
        model(input_ids=torch.zeros(1, 4, dtype=torch.long), use_cache=False)
        model.save_pretrained(folder)
    except Exception as error:  # sizes that do not fit together fail in many ways
        raise CannotShrink(str(error)) from error


def shrink(config: Any) -> None:
    """Makes the sizes of a configuration small, and keeps what tells its layers apart."""
    text = config.get_text_config()
    _keep_layers(text)
    heads = text.num_attention_heads
    groups = getattr(text, "num_key_value_heads", None) or heads
    few = min(groups, 2)
    head_size = getattr(text, "head_dim", None) or text.hidden_size // heads
    text.num_attention_heads = few * min(heads // groups, 2)
    if getattr(text, "num_key_value_heads", None):
        text.num_key_value_heads = few
    hidden, text.hidden_size = text.hidden_size, text.num_attention_heads * head_size
    for name, value in text.to_dict().items():
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        if name in _WIDTHS:
            setattr(text, name, min(value, _WIDTH))
        elif name in _MOST:
            setattr(text, name, min(value, _MOST[name]))
        elif name == "word_embed_proj_dim" and value == hidden:
            setattr(text, name, text.hidden_size)
    text.vocab_size = VOCABULARY
    text.bos_token_id, text.eos_token_id, text.pad_token_id = 1, 2, 0
    for name in getattr(config, "sub_configs", {}):
        part = getattr(config, name, None)
        if part is not None and part is not text and getattr(part, "num_hidden_layers", 0) > 1:
            part.num_hidden_layers = 1


def _keep_layers(text: Any) -> None:
    """Keeps the first layer of each kind, and at least two."""
    layers = text.num_hidden_layers
    kinds = list(getattr(text, "layer_types", None) or [])
    kept = sorted({*range(min(2, layers)), *(kinds.index(kind) for kind in kinds)})
    for name, value in copy.deepcopy(text.to_dict()).items():
        if isinstance(value, list) and len(value) == layers:
            setattr(text, name, [value[index] for index in kept])
    text.num_hidden_layers = len(kept)


def _random(config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=False)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=_WEIGHT)
    return model
