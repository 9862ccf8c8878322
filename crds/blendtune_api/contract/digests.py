"""Digests of values."""

from __future__ import annotations

import hashlib
import json

from blendtune_api import codec


def digest_of(value: object) -> str:
    """sha256 over the canonical JSON of dataclasses, mappings, lists and scalars."""
    canonical = json.dumps(codec.encode(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def text_digest(text: str) -> str:
    """sha256 over a text as it stands."""
    return hashlib.sha256(text.encode()).hexdigest()
