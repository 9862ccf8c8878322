"""The base model's files, tokenizer and size, without loading its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from blendtune_api.chat_templates import MissingTokens, use_chat_template
from blendtune_api.contract import Workspace
from blendtune_api.sizing.shape import SIZES, ModelShape, ShapeError, read_shape
from blendtune_api.v1alpha1 import ChatTemplate, Model
from blendtune_trainer.errors import bad_configuration, bad_model, transient
from blendtune_trainer.uris import HubRepository, StorePath, model_location

_SMALL_FILES = ("*.json", "*.jinja", "*.model", "*.txt")


def base_model_folder(model: Model, claims: Path, workspace: Workspace) -> Path:
    """Where the base model lies, or will lie once `fetch_base_model` has run."""
    location = model_location(model.uri, model.revision, claims)
    if isinstance(location, StorePath) and location.local is not None:
        return location.local
    return workspace.base_model


def fetch_base_model(model: Model, claims: Path, workspace: Workspace) -> Path:
    """The folder of the base model, downloaded into the workspace unless its URI is a folder already.

    Raises TrainerError where there is no model, or the store does not answer.
    """
    location = model_location(model.uri, model.revision, claims)
    folder = base_model_folder(model, claims, workspace)
    if isinstance(location, HubRepository):
        _download_from_hub(location, folder)
    elif location.local is None:
        _download(location, folder)
    if not (folder / "config.json").is_file():
        raise bad_model(f"spec.model.uri: {model.uri} holds no model: there is no config.json in {folder}")
    return folder


def load_tokenizer(folder: Path, chat_template: ChatTemplate | None) -> Any:
    """The tokenizer with the chat template of that name, or with its own.

    Raises TrainerError where there is no tokenizer, or it lacks a token that the template is built of.
    """
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise bad_model(f"spec.model.uri: no tokenizer could be loaded from {folder}: {error}") from error
    if chat_template is not None:
        try:
            use_chat_template(tokenizer, chat_template)
        except MissingTokens as error:
            raise bad_configuration(f"spec.model.chatTemplate: {error}") from error
    return tokenizer


def empty_model(folder: Path) -> Any:
    """The causal language model of `folder`, built from its configuration, without storage."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError, KeyError) as error:
        raise bad_model(f"spec.model.uri: {folder} holds no causal language model: {error}") from error


def model_shape(model: Any) -> ModelShape:
    """The shape of an `empty_model`, its parameters counted; tied weights count once."""
    text_config = model.config.get_text_config()  # it knows every size by its common name
    try:
        shape = read_shape(
            {name: getattr(text_config, name, None) for name in SIZES},
            parameters=sum(parameter.numel() for parameter in model.parameters()),
        )
    except ShapeError as error:
        folder = model.config.name_or_path
        raise bad_model(f"spec.model.uri: {folder} holds no causal language model: {error}") from error
    largest = max(
        sum(parameter.numel() for parameter in module.parameters(recurse=False)) for module in model.modules()
    )
    return replace(shape, largest_layer_parameters=largest)


def weights_pattern(files: Sequence[str]) -> str:
    """The weights to download among a repository's files: of one format, safetensors if there."""
    return "*.safetensors" if any(name.endswith(".safetensors") for name in files) else "*.bin"


def _download_from_hub(repository: HubRepository, folder: Path) -> None:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        files = HfApi().list_repo_files(repository.name, revision=repository.revision)
        snapshot_download(
            repository.name,
            revision=repository.revision,
            local_dir=folder,
            allow_patterns=[*_SMALL_FILES, weights_pattern(files)],
            ignore_patterns=["*/*"],
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise bad_model(
            f"spec.model: hf://{repository.name} at revision {repository.revision} was not found, or needs "
            f"a token in spec.credentials.secretRef (HF_TOKEN): {error}"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise transient(f"spec.model: hf://{repository.name} could not be downloaded: {error}") from error


def _download(location: StorePath, folder: Path) -> None:
    filesystem, path = fsspec.core.url_to_fs(location.url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        filesystem.get(path.rstrip("/") + "/", f"{folder}/", recursive=True)
    except FileNotFoundError as error:
        raise bad_model(f"spec.model.uri: there is nothing at {location.url}") from error
    except OSError as error:
        raise transient(f"spec.model.uri: {location.url} could not be downloaded: {error}") from error
