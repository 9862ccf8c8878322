"""A small model to put on the hub or into S3, and what a download makes of it."""

from __future__ import annotations

from pathlib import Path

from blendtune_runtime.models.download import download
from blendtune_runtime.models.sources import model_source
from blendtune_runtime.uris import model_location

CHUNK = 1000  # bytes of a request, in the tests of downloads
WEIGHTS = bytes(range(256)) * 12  # 3,072 bytes: four requests
MODEL = {"config.json": b"{}", "tokenizer.json": b'{"words": 1}', "model.safetensors": WEIGHTS}
HUB_FILE, S3_FILE = "cdn.*model.safetensors", "mine/model.safetensors"  # the requests for its weights


def fetch(uri: str, folder: Path) -> dict[str, bytes]:
    """The files that a download leaves."""
    location = model_location(uri, "main", folder, "spec.model.uri")
    download(model_source(location, "spec.model"), folder / "model")
    return contents(folder / "model")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and not file.name.startswith(".")
    }
