"""The files and the shape of the base model, without loading its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoModelForCausalLM

from blendtune_api.contract import weight_files
from blendtune_api.shared_folder import SharedFolder
from blendtune_api.v1alpha1 import Model
from blendtune_core.sizing.shape import SCORES, SIZES, SPANS, ModelShape, ShapeError, read_shape
from blendtune_runtime.errors import BadModel
from blendtune_runtime.models.download import fetch_once
from blendtune_runtime.models.sources import model_source
from blendtune_runtime.uris import StorePath, model_location

_ATTENTION = {"full_attention", "sliding_attention", "chunked_attention"}  # layer types


def base_model_folder(model: Model, claims: Path, shared: SharedFolder) -> Path:
    """The folder of the base model, which exists once `fetch_base_model` has run.

    Raises BadConfiguration for a URI that names no model.
    """
    location = model_location(model.uri, model.revision, claims, "spec.model.uri")
    if isinstance(location, StorePath) and location.local is not None:
        return location.local
    return shared.base_model(model)


def fetch_base_model(model: Model, claims: Path, shared: SharedFolder, uid: str) -> Path:
    """The folder of the base model. Unless its URI is a folder, one run downloads it for all that share it.

    `uid` is that of this run; runs that wait for the download print it. Raises BadModel if there is no model,
    BadConfiguration for a URI that names none or may not be read, Transient if the hub or the store does not
    answer.
    """
    location = model_location(model.uri, model.revision, claims, "spec.model.uri")
    folder = base_model_folder(model, claims, shared)
    if isinstance(location, StorePath) and location.local is not None:
        _check_model(folder, model)
    elif not folder.exists():
        fetch_once(model_source(location, "spec.model"), folder, uid)
    return folder


def _check_model(folder: Path, model: Model) -> None:
    """Raises BadModel if the folder has no configuration or no safetensors."""
    if not (folder / "config.json").is_file():
        raise BadModel(f"spec.model.uri: {model.uri} holds no model: there is no config.json in {folder}")
    try:
        weight_files(folder)
    except FileNotFoundError as error:
        raise BadModel(
            f"spec.model.uri: {model.uri} holds no weights: {error}; convert them to safetensors first"
        ) from error


def empty_model(folder: Path) -> Any:
    """The causal language model in `folder`, without weights: built on the meta device.

    Raises BadModel if there is none, or if it cannot be trained on packed examples.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
            raise ValueError(
                f"transformers has no such use for a {config.model_type}; of models that read images or "
                "sound only those are trained that it can use for text alone. Choose a model of text"
            )
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except Exception as error:  # what is wrong in a configuration, libraries tell in ways of their own
        raise BadModel(f"spec.model.uri: {folder} holds no causal language model: {_words(error)}") from error
    if leak := next(leaks(model), None):
        raise BadModel(
            f"spec.model.uri: {folder} holds a {config.model_type}, whose {leak} would let examples of one "
            "bin into one another; choose a model of attention layers with positions of their own"
        )
    return model


def _words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"transformers does not know {error}, which its config.json names"
    return str(error) if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: {error}"


def leaks(model: Any) -> Iterator[str]:
    """The parts of a model that are known to carry information across the examples of a packed row."""
    config = model.config
    kinds = set(getattr(config.get_text_config(), "layer_types", None) or ())
    yield from (f"layers of kind {kind}" for kind in sorted(kinds - _ATTENTION))
    if model._is_stateful:
        yield "recurrent state"
    if "position_ids" not in signature(model.forward).parameters or getattr(config, "alibi", False):
        yield "attention to the whole row"


def sizes(config: Any) -> dict[str, Any]:
    """What `read_shape` reads of a config of transformers, which maps every size to its common name."""
    text_config = config.get_text_config()
    return {name: getattr(text_config, name, None) for name in (*SIZES, *SPANS, *SCORES)}


def model_shape(model: Any) -> ModelShape:
    """The shape of an `empty_model` with its number of parameters. Raises BadModel if a size is missing.

    Tied weights are counted once.
    """
    try:
        shape = read_shape(
            sizes(model.config),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
        )
    except ShapeError as error:
        folder = model.config.name_or_path
        raise BadModel(f"spec.model.uri: {folder} holds no causal language model: {error}") from error
    largest = max(
        sum(parameter.numel() for parameter in module.parameters(recurse=False)) for module in model.modules()
    )
    return replace(shape, largest_layer_parameters=largest)
