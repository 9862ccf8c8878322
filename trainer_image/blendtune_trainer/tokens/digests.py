"""Digests of the inputs of a blend."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def text_digest(text: str) -> str:
    """SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def bytes_digest(parts: Iterable[bytes]) -> str:
    """SHA-256 of the parts, in order, in hex."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(framed(part))
    return digest.hexdigest()


def framed(part: bytes) -> bytes:
    """The part prefixed by its length, so that a digest of several parts depends on where each one ends."""
    return len(part).to_bytes(8, "big") + part


def file_digest(file: Path) -> str:
    """SHA-256 of the content of a file, in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def row_key(content: bytes, seed: int) -> int:
    """A 64-bit hash of the canonical bytes of a row, keyed by the seed."""
    digest = hashlib.blake2b(content, digest_size=8, key=seed.to_bytes(8, "big")).digest()
    return int.from_bytes(digest, "big")
