"""Digests of what a blend is made from."""

from __future__ import annotations

import hashlib
from pathlib import Path


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def row_key(content: bytes, seed: int) -> int:
    """64 bits that a row's content and the seed decide."""
    digest = hashlib.blake2b(content, digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big")
