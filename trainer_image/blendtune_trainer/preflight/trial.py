"""A trial on a small model of the base model's architecture: examples kept apart, exported, loaded again."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blendtune_api.v1alpha1 import Attention, BlendedFineTuneSpec, ChatTemplate, Method, Precision
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadModel, StageError, is_storage_full
from blendtune_trainer.model.attention import attend_within_examples
from blendtune_trainer.model.load import attention_implementation
from blendtune_trainer.model.lora import merged_model, with_adapter
from blendtune_trainer.preflight.small_copy import VOCABULARY, CannotShrink, small_copy
from blendtune_trainer.training.export import write_adapter, write_model
from blendtune_trainer.training.separation import require_separation_on_cpu

_TEXTS = ("How many?", "  two blanks\n\nand lines: 1,234 Straße ☕", "")
_CPU = torch.device("cpu")


def try_model(spec: BlendedFineTuneSpec, base: Path) -> None:
    """Tries on a small model what the training does with the one in `base` before and after its steps.

    Raises BadModel if examples of one bin see one another, or if what is exported is not loaded as it was.
    A model that cannot be made small is not tried: the training itself still checks the first of the two.
    """
    with tempfile.TemporaryDirectory(prefix="blendtune-trial-") as place:
        small = Path(place) / "base"
        try:
            small_copy(base, small)
        except CannotShrink as reason:
            print(f"the export was not tried beforehand, as there is no small model: {reason}", flush=True)
            return
        model = _loaded(spec, small)
        require_separation_on_cpu(model, VOCABULARY)
        try:
            folders = _export(spec, model, small, Path(place))
            for folder in folders:
                _require_same_tokenizer(small, folder, spec.model.chat_template)
            _require_loadable(folders[-1])
        except StageError:
            raise
        except Exception as error:
            if is_storage_full(error):
                raise
            raise BadModel(_not_exported(base, f"{type(error).__name__}: {error}")) from error


def _loaded(spec: BlendedFineTuneSpec, folder: Path) -> Any:
    """The model in `folder` as the training on this machine would load it."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    training = replace(spec.training, attention=Attention.AUTO, precision=Precision.FP32)
    attention = attention_implementation(training, _CPU, config)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation=attention, local_files_only=True
    )
    attend_within_examples(model, training.sequence_length)
    return model


def _export(spec: BlendedFineTuneSpec, model: Any, base: Path, place: Path) -> tuple[Path, ...]:
    """Exports the model as the training would; the last folder is that of the model itself."""
    tokenizer = load_tokenizer(base, spec.model.chat_template)
    target, adapter = place / "model", place / "adapter"
    if spec.training.method is not Method.LORA:
        write_model(model, base, tokenizer, target)
        return (target,)
    lora = replace(spec.training.lora, rank=min(2, spec.training.lora.rank))
    adapted = with_adapter(model, lora, spec.model, spec.training.seed)
    write_adapter(adapted, base, tokenizer, adapter)
    write_model(merged_model(base, adapter, torch.float32), base, tokenizer, target)
    return adapter, target


def _require_same_tokenizer(base: Path, folder: Path, template: ChatTemplate | None) -> None:
    trained, exported = load_tokenizer(base, template), load_tokenizer(folder, None)
    if exported.chat_template != trained.chat_template:
        raise BadModel(_not_exported(base, "its chat template is another one when it is loaded again"))
    for text in (*_TEXTS, *(f"{token}twelve" for token in trained.all_special_tokens)):
        if exported(text).input_ids != trained(text).input_ids:
            what = f"{text!r} gives other tokens when its tokenizer is loaded again"
            raise BadModel(_not_exported(base, what))


def _require_loadable(folder: Path) -> None:
    _, report = AutoModelForCausalLM.from_pretrained(
        folder, device_map="meta", output_loading_info=True, local_files_only=True
    )
    if odd := sorted({*report["missing_keys"], *report["unexpected_keys"]}):
        raise BadModel(
            _not_exported(folder, f"its weights have other names afterwards: {', '.join(odd[:3])}")
        )


def _not_exported(folder: Path, what: str) -> str:
    return (
        f"spec.model.uri: a small model with the settings and tokenizer in {folder} could not be exported: "
        f"{what}. Load the model with transformers, save it with save_pretrained, and name that folder"
    )
