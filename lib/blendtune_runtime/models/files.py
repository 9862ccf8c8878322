"""The names of a model's files: those that are downloaded, and those that an export may replace."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatch, fnmatchcase
from pathlib import PurePosixPath

# Downloaded: settings, tokenizer and weights, never code.
SETTINGS_FILES = ("*.json", "*.jinja", "*.model", "*.txt")
SAFETENSORS = "*.safetensors"
SUBFOLDERS = "*/*"  # not downloaded: they hold the same weights in other formats

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
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
    "chat_template.jinja",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
)


def flat_files(paths: Iterable[str], patterns: Collection[str]) -> dict[str, str]:
    """File name -> path of the paths whose names match a pattern. The names contain no folders."""
    named = {PurePosixPath(path).name: path for path in paths}
    return {name: path for name, path in named.items() if any(fnmatch(name, each) for each in patterns)}


def is_own(name: str) -> bool:
    """Whether a file of this name is part of the model in its folder, so that a new model must replace it."""
    return any(fnmatchcase(name, pattern) for pattern in _OWN)
