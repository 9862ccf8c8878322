"""Whether the files of the base model hold the weights that its configuration promises."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM

from blendtune_runtime.errors import BadModel

_NAMED = 3  # weights, at most


def require_weights(base: Path) -> Any:
    """The model in `base` on the meta device, once its weights are known to be complete.

    Raises BadModel if weights are missing or of other sizes, are quantised, if there are more of a part than
    config.json says, or if `tie_word_embeddings` says something else than they do. transformers would make up
    what is missing, and leave out what is too much.
    """
    config = json.loads((base / "config.json").read_text())
    if method := (config.get("quantization_config") or {}).get("quant_method"):
        raise BadModel(
            f"spec.model.uri: the weights in {base} are quantised ({method}) and cannot be trained; use the "
            "model's version in bfloat16, or convert it: load it with dequantize=True and save it again"
        )
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            base,
            device_map="meta",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BadModel(f"spec.model.uri: the weights in {base} cannot be loaded: {error}") from error
    for name, stored, wanted in sorted(report["mismatched_keys"]):
        raise BadModel(
            f"spec.model.uri: {name} is {_size(stored)} in the weights and {_size(wanted)} by config.json in "
            f"{base}: one of them is another model's; copy all files of the model again"
        )
    _require_complete(model, sorted(report["missing_keys"]), base)
    _require_used(model, sorted(report["unexpected_keys"]), base)
    _require_tied(model, base)
    return model


def _require_complete(model: Any, missing: list[str], base: Path) -> None:
    heads = set(model._tied_weights_keys or ())
    if missing and heads.issuperset(missing):
        raise BadModel(
            f"spec.model.uri: config.json in {base} says tie_word_embeddings: false, but the weights have no "
            f"{missing[0]}: set it to true if the embedding is the head too, or add the weight"
        )
    if missing:
        more = f" and {len(missing) - _NAMED:,} more" if len(missing) > _NAMED else ""
        raise BadModel(
            f"spec.model.uri: {', '.join(missing[:_NAMED])}{more} are missing among the weights in {base}: "
            "copy all files of the model again; a shard may be missing, or config.json be another model's"
        )


def _require_used(model: Any, unused: list[str], base: Path) -> None:
    """Raises BadModel for weights that are left out though they belong to a part of the model.

    Those of parts that it does not have, such as a head for values, are printed. transformers itself keeps
    quiet about those that are known not to count.
    """
    modules = {name for name, _ in model.named_modules()}
    own = [name for name in unused if not modules.isdisjoint(_places(name))]
    if own:
        more = f" and {len(own) - _NAMED:,} more" if len(own) > _NAMED else ""
        raise BadModel(
            f"spec.model.uri: the weights in {base} have {', '.join(own[:_NAMED])}{more}, which "
            "config.json leaves out: it would be another model. Copy all files of the model again, or "
            "correct config.json, such as its number of layers or its biases"
        )
    if unused:
        parts = sorted({name.partition(".")[0] for name in unused})
        print(f"weights of the base model that are not used: {', '.join(parts)}", flush=True)


def _places(name: str) -> Iterator[str]:
    """The module that a weight belongs to, and the list of layers that this is in."""
    yield name.rpartition(".")[0]
    parts = name.split(".")
    first = next((index for index, part in enumerate(parts) if part.isdigit()), None)
    if first:
        yield ".".join(parts[:first])


def _require_tied(model: Any, base: Path) -> None:
    """Raises BadModel if weights that are said to be one differ in the files."""
    if not (model.config.tie_word_embeddings or model.config.get_text_config().tie_word_embeddings):
        return
    stored = _stored(base)
    for one, other in dict(model._tied_weights_keys or {}).items():
        names = [_stored_name(name, stored) for name in (one, other)]
        if None in names:
            continue
        first, second = (_read(stored[name], name) for name in names if name)
        if not torch.equal(first, second):
            raise BadModel(
                f"spec.model.uri: config.json in {base} says tie_word_embeddings: true, but {names[0]} and "
                f"{names[1]} differ: set it to false, or remove {names[0]} from the weights"
            )


def _size(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape))


def _stored(base: Path) -> dict[str, Path]:
    """The file of each weight."""
    files: dict[str, Path] = {}
    for file in base.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            files |= dict.fromkeys(weights.keys(), file)
    return files


def _stored_name(name: str, stored: Mapping[str, Path]) -> str | None:
    """The name of a weight in the files, which may have another prefix; None if it is not there."""
    end = name.split(".")[-2:]
    found = [each for each in stored if each.split(".")[-2:] == end]
    return found[0] if len(found) == 1 else None


def _read(file: Path, name: str) -> torch.Tensor:
    with safe_open(file, "pt") as weights:
        tensor: torch.Tensor = weights.get_tensor(name)
        return tensor
