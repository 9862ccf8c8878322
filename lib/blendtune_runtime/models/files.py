"""The names of a model's files: those that are downloaded, and those that an export may replace."""

from __future__ import annotations

from collections.abc import Callable, Collection
from fnmatch import fnmatchcase

from blendtune_api.contract import WEIGHTS_FILE, WEIGHTS_INDEX, indexed_files

PICKLED_FILE, PICKLED_INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
TEMPLATES_FOLDER = "additional_chat_templates"  # of a tokenizer with several named templates

# Downloaded: settings, tokenizer and weights, never code.
_SETTINGS = ("*.json", "*.jinja", "*.model", "*.txt")
# Not the model's: an adapter beside it, which transformers would load with it, and indices of other weights.
_NOT_SETTINGS = ("adapter_*", "*.index.json")

# What a tokenizer is made of, without its settings and chat template; and what prepares images and sound.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
)
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")

CONFIGS = frozenset({"config.json", "adapter_config.json"})  # a folder with neither is not a model
_OWN = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model-?????-of-?????.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model-?????-of-?????.bin",
    "pytorch_model.bin.index.json",
    "adapter_config.json",
    "adapter_model.safetensors",
    "adapter_model.bin",
    "tokenizer_config.json",
    "chat_template.jinja",
    *TOKENIZER_FILES,
    *PROCESSOR_FILES,
)


def is_model_path(path: str) -> bool:
    """Whether a file at this path within a model's folder may be part of the model.

    Other folders hold the same weights in other formats, and a path may not lead out of the folder.
    """
    folder, _, name = path.rpartition("/")
    return name not in ("", ".", "..") and folder in ("", TEMPLATES_FOLDER)


def settings_files(names: Collection[str]) -> list[str]:
    """The files of settings and tokenizer among those of a model, sorted."""
    return sorted(
        name
        for name in names
        if any(fnmatchcase(name, pattern) for pattern in _SETTINGS)
        and not any(fnmatchcase(name, pattern) for pattern in _NOT_SETTINGS)
    )


def weight_sources(names: Collection[str], read: Callable[[str], str]) -> list[str]:
    """The files that hold the weights of a model, after their index if they have one; [] if there are none.

    One format is chosen, as transformers does: safetensors before PyTorch's own, one file before several.
    `read` gives the text of an index. Raises ValueError if an index is none, or names a file that is missing.
    """
    for single, index in ((WEIGHTS_FILE, WEIGHTS_INDEX), (PICKLED_FILE, PICKLED_INDEX)):
        if single in names:
            return [single]
        if index in names:
            try:
                files = indexed_files(read(index))
            except ValueError as error:
                raise ValueError(f"{index} names no weights: {error}") from error
            if missing := [file for file in files if file not in names]:
                raise ValueError(f"there is no {missing[0]}, which {index} names")
            return [index, *files]
    return []


def is_own(name: str) -> bool:
    """Whether a file of this name is part of the model in its folder, so that a new model must replace it."""
    return any(fnmatchcase(name, pattern) for pattern in _OWN)
