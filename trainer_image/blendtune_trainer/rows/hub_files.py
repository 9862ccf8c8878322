"""The files of a repository on the hub as a file system that reads rows, without retries of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fsspec.spec import AbstractBufferedFile

from blendtune_runtime.hub import HubFile, HubSnapshot

_BLOCK_BYTES = 5 << 20  # of a request


class HubFiles:
    """Opens the files of a repository. Raises the errors of huggingface_hub."""

    def __init__(self, found: HubSnapshot, files: Mapping[str, HubFile]) -> None:
        self._found, self._files = found, files

    def open(self, path: str, mode: str = "rb") -> Any:
        return _File(self._found, path, mode, self._files[path].size)


class _File(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """A file in a repository, open for reading."""

    def __init__(self, found: HubSnapshot, path: str, mode: str, size: int) -> None:
        super().__init__(None, path, mode, block_size=_BLOCK_BYTES, size=size)
        self._found = found

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self._found.read(self.path, start, end)
