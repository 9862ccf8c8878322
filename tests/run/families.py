"""Tiny models of the architectures that people have, each with its real tokenizer and chat template."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tests.package_tokenizers import VERSION, tokenizer_folder
from transformers import AutoConfig, AutoModelForCausalLM

from blendtune_api.v1alpha1 import ChatTemplate

_SIZES = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 1024,
}  # fmt: skip
_LATENT = {
    "q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4, "v_head_dim": 8,
    "num_key_value_heads": 2, "n_routed_experts": 4, "n_group": 2, "topk_group": 1, "n_shared_experts": 1,
    "num_experts_per_tok": 2, "moe_intermediate_size": 8, "first_k_dense_replace": 1, "head_dim": 4,
}  # fmt: skip
_LLAMA_3_1_ROPE = {
    "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 256,
}  # fmt: skip

# As the models of these families have them, in words of our own: Phi's ends a conversation with its end of
# text, Mistral's joins the system prompt with the first question.
PHI_LIKE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)
MISTRAL_LIKE = (
    "{{ bos_token }}"
    "{% set system = messages[0]['content'] + '\\n\\n' if messages[0]['role'] == 'system' else '' %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ '[INST] ' + (system if loop.index0 <= 1 else '') + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}"
)
GPT_OSS_LIKE = (
    "{% for m in messages %}{{ '<|start|>' + m['role'] }}"
    "{% if m['role'] == 'assistant' %}{{ '<|channel|>final<|message|>' + m['content'] }}"
    "{{ '<|return|>' if loop.last else '<|end|>' }}"
    "{% else %}{{ '<|message|>' + m['content'] + '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant' }}{% endif %}"
)


@dataclass(frozen=True, kw_only=True)
class Family:
    """An architecture with a tokenizer of the packages, and the chat template that goes with it."""

    name: str
    package: str
    model_type: str
    vocabulary: int  # rows of the embedding of the real model
    shape: dict[str, Any] = field(default_factory=dict)
    template: str | None = None  # instead of the package's
    named: ChatTemplate | None = None  # as spec.model.chatTemplate
    added: tuple[str, ...] = ()  # special tokens that the tokenizer of the real model has

    @property
    def template_name(self) -> str:
        if self.named is not None:
            return f"`chatTemplate: {self.named}`"
        return "in its style" if self.template else f"`tokenizer-{self.package}` {VERSION}"


FAMILIES = (
    Family(name="Llama 2", package="llama2", model_type="llama", vocabulary=32000,
           named=ChatTemplate.LLAMA_2),
    Family(name="Llama 3", package="llama3", model_type="llama", vocabulary=128256),
    Family(name="Llama 3, named", package="llama3", model_type="llama", vocabulary=128256,
           named=ChatTemplate.LLAMA_3),
    Family(name="Llama 3.1", package="llama3_1", model_type="llama", vocabulary=128256,
           shape={"rope_parameters": _LLAMA_3_1_ROPE}),
    Family(name="Qwen3", package="qwen3", model_type="qwen3", vocabulary=151936,
           shape={"tie_word_embeddings": True}),
    Family(name="Gemma 3", package="gemma3", model_type="gemma3_text", vocabulary=262144,
           shape={"sliding_window": 64}),
    Family(name="DeepSeek-V3", package="deepseek_v3", model_type="deepseek_v3", vocabulary=129280,
           shape=_LATENT),
    Family(name="gpt-oss", package="gptoss", model_type="gpt_oss", vocabulary=201088, template=GPT_OSS_LIKE,
           shape={"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 32}),
    Family(name="Phi-3", package="llama2", model_type="phi3", vocabulary=32064, template=PHI_LIKE,
           added=("<|assistant|>", "<|user|>", "<|system|>", "<|end|>")),
    Family(name="Mistral", package="llama2", model_type="mistral", vocabulary=32000, template=MISTRAL_LIKE),
)  # fmt: skip


def write_model(family: Family, folder: Path) -> None:
    """Writes a model of two layers with random weights, the real tokenizer and its special tokens' ids."""
    shutil.copytree(tokenizer_folder(family.package), folder)
    settings = folder / "tokenizer_config.json"
    document = json.loads(settings.read_text())
    if family.template:
        document["chat_template"] = family.template
    if family.added:
        _add_special_tokens(folder / "tokenizer.json", family.added)
    settings.write_text(json.dumps(document))
    ids = _special_ids(folder)
    config = AutoConfig.for_model(
        family.model_type, **(_SIZES | {"vocab_size": family.vocabulary, **ids} | family.shape)
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)


def _add_special_tokens(file: Path, tokens: tuple[str, ...]) -> None:
    from tokenizers import AddedToken, Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    tokenizer.save(str(file))


def _special_ids(folder: Path) -> dict[str, int | None]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = ("bos_token_id", "eos_token_id", "pad_token_id")
    return {name: getattr(tokenizer, name) for name in names}
