"""Digests of values and of weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from blendtune_api import codec


def digest_of(value: object) -> str:
    """sha256 over the canonical JSON of dataclasses, mappings, lists and scalars."""
    canonical = json.dumps(codec.encode(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def weights_digest(folder: Path) -> str:
    """Digest of a model's weights: sha256 over name, size and content of its *.safetensors files, by name.

    Raises FileNotFoundError if the folder has no such file.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no *.safetensors file")
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
