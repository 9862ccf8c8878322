"""Which files of a folder are a model's weights: those that transformers loads, and their digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

WEIGHTS_FILE = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"


def weights_digest(folder: Path) -> str:
    """Digest of a model's weights: sha256 over name, size and content of its `weight_files`, by name.

    Raises FileNotFoundError as `weight_files` does.
    """
    digest = hashlib.sha256()
    for file in weight_files(folder):
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """The weights in a folder, by name: model.safetensors, else the files that its index names.

    Other safetensors beside them, such as an adapter or `consolidated.safetensors`, are not weights of the
    model. Raises FileNotFoundError, which says what is missing, if there are none or not all.
    """
    index = folder / WEIGHTS_INDEX
    if (folder / WEIGHTS_FILE).is_file():
        return [folder / WEIGHTS_FILE]
    if not index.is_file():
        raise FileNotFoundError(f"{folder} holds no {WEIGHTS_FILE} and no {WEIGHTS_INDEX}")
    try:
        files = [folder / name for name in indexed_files(index.read_text(encoding="utf-8"))]
    except ValueError as error:
        raise FileNotFoundError(f"{index} names no weights: {error}") from error
    if missing := [file.name for file in files if not file.is_file()]:
        raise FileNotFoundError(f"{folder} holds no {missing[0]}, which {WEIGHTS_INDEX} names")
    return files


def indexed_files(index: str) -> list[str]:
    """The names of the files in the text of an index of weights, sorted.

    Raises ValueError if it is not an index, or if a name leads out of its folder.
    """
    document = json.loads(index)
    weight_map = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise ValueError("it has no weight_map")
    names = sorted({str(name) for name in weight_map.values()})
    if astray := [name for name in names if Path(name).name != name]:
        raise ValueError(f"{astray[0]} is not the name of a file beside it")
    return names
