"""The tokens of all examples of a run, in files that grow with them, so that memory does not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

TOKENS_FOLDER = "tokens.unfinished"  # in a run's workspace while its rows are encoded
_BLOCK_BYTES = 1 << 20
_KINDS: dict[str, type[np.generic]] = {"input_ids": np.int32, "supervised": np.bool_}


class TokenFiles:
    """Two files in a folder of their own, `input_ids.npy` and `supervised.npy`, written chunk by chunk.

    A context manager: entering it makes the folder, empty, and leaving it removes the folder. Files that are
    to stay are moved out before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, IO[bytes]] = {}
        self._count = 0

    def __enter__(self) -> TokenFiles:
        shutil.rmtree(self._folder, ignore_errors=True)  # that of an attempt which was killed
        self._folder.mkdir(parents=True)
        for name, path in self.paths.items():
            self._files[name] = path.open("wb")
        self.clear()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for file in self._files.values():
                file.close()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def paths(self) -> dict[str, Path]:
        """The files by the name of the array in each."""
        return {name: self._folder / f"{name}.npy" for name in _KINDS}

    @property
    def count(self) -> int:
        """The number of tokens so far."""
        return self._count

    def clear(self) -> None:
        """Forgets all tokens."""
        self._count = 0
        for name, file in self._files.items():
            file.seek(0)
            file.truncate()
            self._write_header(name, file)

    def append(self, input_ids: NDArray[np.int32], supervised: NDArray[np.bool_]) -> None:
        """Appends the tokens of a chunk. Both arrays are [tokens]."""
        self._count += len(input_ids)
        for file, array in zip(self._files.values(), (input_ids, supervised), strict=True):
            file.write(np.ascontiguousarray(array).data)

    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """All tokens and which of them are supervised, both [tokens] and memory-mapped."""
        for name, file in self._files.items():
            file.seek(0)
            self._write_header(name, file)
            file.seek(0, os.SEEK_END)
            file.flush()
            os.fsync(file.fileno())
        input_ids, supervised = (np.load(path, mmap_mode="r") for path in self.paths.values())
        return input_ids, supervised

    def _write_header(self, name: str, file: IO[bytes]) -> None:
        """Writes the header that numpy writes, whose length is the same for any number of tokens."""
        kind = np.lib.format.dtype_to_descr(np.dtype(_KINDS[name]))
        header = {"descr": kind, "fortran_order": False, "shape": (self._count,)}
        np.lib.format.write_array_header_1_0(file, header)


def blocks(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """The bytes of an array. Those of a memory-mapped one are read from its file, and do not stay mapped."""
    if not isinstance(array, np.memmap) or array.filename is None:
        yield np.ascontiguousarray(array).data
        return
    with Path(array.filename).open("rb") as file:
        file.seek(array.offset)
        while block := file.read(_BLOCK_BYTES):
            yield block
