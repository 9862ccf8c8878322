"""The files of a source in a store: requests are repeated, and what fails for good is a stage error."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from blendtune_runtime.store_errors import store_errors
from blendtune_runtime.store_retries import with_retries

if TYPE_CHECKING:
    from typing_extensions import Buffer

T = TypeVar("T")

_BUFFER_BYTES = 1 << 20


class StoreFiles:
    """The part of an fsspec file system that reads rows, over one that reaches a store.

    The file systems of stores take some errors for the absence of a file, and raise others in their own
    forms. Here only what does not exist raises FileNotFoundError; all else is raised as by `store_errors`.
    """

    def __init__(self, filesystem: Any, place: str) -> None:
        """`place` begins the messages: the field of the spec and the address."""
        self._filesystem, self._place = filesystem, place

    def isfile(self, path: str) -> bool:
        return self._kind(path) == "file"

    def isdir(self, path: str) -> bool:
        return self._kind(path) == "directory"

    def size(self, path: str) -> int | None:
        size: int | None = self._ask(lambda: self._filesystem.size(path))
        return size

    def find(self, path: str, *, detail: bool) -> Any:
        return self._ask(lambda: self._filesystem.find(path, detail=detail))

    def open(self, path: str, mode: str = "rb") -> BinaryIO:
        stream = self._ask(lambda: self._filesystem.open(path, mode))
        return cast(BinaryIO, io.BufferedReader(_Stream(stream, self._place), _BUFFER_BYTES))

    def unstrip_protocol(self, path: str) -> str:
        return str(self._filesystem.unstrip_protocol(path))

    def _kind(self, path: str) -> str | None:
        """`file`, `directory`, or None if there is nothing."""

        def look_up() -> str | None:
            try:
                return str(self._filesystem.info(path)["type"])
            except FileNotFoundError:
                return None

        return self._ask(look_up)

    def _ask(self, request: Callable[[], T]) -> T:
        with store_errors(self._place):
            return with_retries(request, self._place)


class _Stream(io.RawIOBase):
    """A file in a store, open for reading."""

    def __init__(self, stream: Any, place: str) -> None:
        super().__init__()
        self._stream, self._place = stream, place

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer).cast("B")
        start = self.tell()

        def request() -> bytes:
            self._stream.seek(start)
            return bytes(self._stream.read(len(view)))

        with store_errors(self._place):
            content = with_retries(request, self._place)
        view[: len(content)] = content
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
