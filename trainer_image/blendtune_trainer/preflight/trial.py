"""A trial on a small model of the base model's architecture: examples kept apart, exported, loaded again."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from blendtune_api.v1alpha1 import Attention, BlendedFineTuneSpec, Method, Precision
from blendtune_core.lora import unknown_targets
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadModel, is_storage_full
from blendtune_runtime.models.interpolation import require_interpolable
from blendtune_trainer.model.attention import attend_within_examples
from blendtune_trainer.model.load import attention_implementation
from blendtune_trainer.model.lora import linear_layers, merged_model, with_adapter
from blendtune_trainer.model.settings_files import probes, require_settings
from blendtune_trainer.preflight.small_copy import VOCABULARY, CannotShrink, small_copy
from blendtune_trainer.training.export import write_adapter, write_model
from blendtune_trainer.training.separation import require_separation_on_cpu

_CPU = torch.device("cpu")


def try_model(spec: BlendedFineTuneSpec, base: Path, tokenizer: Any) -> None:
    """Tries on a small model what the training does with the one in `base` before and after its steps.

    `tokenizer` is the one to train with. Raises BadModel if examples of one bin see one another, if what is
    exported is not loaded as it was, or if an evaluation with interpolation could not weigh it with the base
    model. A model that cannot be made small is not tried: the training itself still checks the first.
    """
    require_settings(base)
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
            folders = _export(spec, model, small, tokenizer)
            unlike = _differences(tokenizer, folders)
        except (
            Exception
        ) as error:  # libraries fail in ways of their own, and none may be met after the training
            if is_storage_full(error):
                raise
            raise BadModel(_not_exported(spec, f"{type(error).__name__}: {error}")) from error
        if unlike is not None:
            raise BadModel(_not_exported(spec, unlike))
        if spec.evaluation.interpolation is not None:
            require_interpolable(base, folders[-1])


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


def _export(spec: BlendedFineTuneSpec, model: Any, base: Path, tokenizer: Any) -> tuple[Path, ...]:
    """Exports the model as the training would; the last folder is that of the model itself."""
    target, adapter = base.with_name("model"), base.with_name("adapter")
    if spec.training.method is not Method.LORA:
        write_model(model, base, tokenizer, target)
        return (target,)
    named, layers = spec.training.lora.target_modules, linear_layers(model)
    there = tuple(target for target in named if not unknown_targets(layers, (target,)))
    lora = replace(spec.training.lora, rank=min(2, spec.training.lora.rank), target_modules=there)
    adapted = with_adapter(model, lora, spec.model, spec.training.seed)
    write_adapter(adapted, base, tokenizer, adapter)
    write_model(merged_model(base, adapter, torch.float32), base, tokenizer, target)
    return adapter, target


def _differences(trained: Any, folders: Sequence[Path]) -> str | None:
    """What is not as it was with the tokenizer `trained` when the export is loaded again; None if all is."""
    for exported in (load_tokenizer(folder, None) for folder in folders):
        if exported.chat_template != trained.chat_template:
            return "its chat template is another one when it is loaded again"
        for text in probes(trained):
            if exported(text).input_ids != trained(text).input_ids:
                return f"{text!r} gives other tokens when its tokenizer is loaded again"
    _, report = AutoModelForCausalLM.from_pretrained(
        folders[-1], device_map="meta", output_loading_info=True, local_files_only=True
    )
    odd = sorted({*report["missing_keys"], *report["unexpected_keys"]})
    return f"its weights have other names afterwards: {', '.join(odd[:3])}" if odd else None


def _not_exported(spec: BlendedFineTuneSpec, what: str) -> str:
    return (
        f"spec.model.uri: a small model with the settings and tokenizer of {spec.model.uri} could not be "
        f"exported: {what}. Load the model with transformers, save it with save_pretrained, and use that"
    )
