"""Digests of what a blend is made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def bytes_digest(parts: Iterable[bytes]) -> str:
    """Of the parts in their order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(framed(part))
    return digest.hexdigest()


def framed(part: bytes) -> bytes:
    """The part with its length before it, which tells it apart from the next in a digest of several."""
    return len(part).to_bytes(8, "big") + part


def file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def row_key(content: bytes, seed: int) -> int:
    """64 bits that a row's content and the seed decide."""
    digest = hashlib.blake2b(content, digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big")
