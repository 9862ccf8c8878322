"""Which files of a model are fetched from a store: settings and tokenizer, weights, and never code."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatch
from pathlib import PurePosixPath

SETTINGS_FILES = ("*.json", "*.jinja", "*.model", "*.txt")
SAFETENSORS = "*.safetensors"


def flat_files(paths: Iterable[str], patterns: Collection[str]) -> dict[str, str]:
    """The paths whose names fit a pattern, by those names alone: none leads out of the folder it goes to."""
    named = {PurePosixPath(path).name: path for path in paths}
    return {name: path for name, path in named.items() if any(fnmatch(name, each) for each in patterns)}
