"""Which files make a model: what is fetched of it from a store, and what an export leaves there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatch, fnmatchcase
from pathlib import PurePosixPath

# What is fetched: settings, tokenizer and weights, never code.
SETTINGS_FILES = ("*.json", "*.jinja", "*.model", "*.txt")
SAFETENSORS = "*.safetensors"
SUBFOLDERS = "*/*"  # not fetched: they hold the same weights in other formats

CONFIGS = frozenset({"config.json", "adapter_config.json"})  # a folder without either is taken for no model
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
    "merges.txt",
    "chat_template.jinja",
)


def flat_files(paths: Iterable[str], patterns: Collection[str]) -> dict[str, str]:
    """The paths whose names fit a pattern, by those names alone: none leads out of the folder it goes to."""
    named = {PurePosixPath(path).name: path for path in paths}
    return {name: path for name, path in named.items() if any(fnmatch(name, each) for each in patterns)}


def is_own(name: str) -> bool:
    """Whether a file of that name belongs to the model of its folder and would mislead beside another."""
    return any(fnmatchcase(name, pattern) for pattern in _OWN)
