"""Opens files of rows: decompressed, buffered, and refused by name where they are not UTF-8."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from fsspec.implementations.local import LocalFileSystem

from blendtune_trainer.rows.data_files import DataFile
from blendtune_trainer.rows.file_kinds import Compression

_BUFFER_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 20
_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
}
BOM = b"\xef\xbb\xbf"  # of UTF-8
# What a damaged compressed file raises, beside OSError.
DAMAGED = (gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError)


class Opened:
    """A file of rows, decompressed."""

    def __init__(self, file: DataFile, raw: IO[bytes], stream: io.BufferedReader) -> None:
        self.file = file
        self.stream = stream
        self._raw = raw

    def head(self) -> bytes:
        """The first bytes, which stay unread."""
        return self.stream.peek(_BUFFER_BYTES)

    def fraction(self, read: int) -> float:
        """The fraction of the source that is read, 0 to 1, once `read` bytes of this file's content are."""
        if self.file.compression is not None:
            read = self._raw.tell()
        return self.file.of_source(read / (self.file.size or 1))

    def not_utf8(self) -> str | None:
        """What a file that is surely not UTF-8 text is, and what to do; None for any other."""
        name, head = self.file.name, self.head()[:8]
        for magic, what in _MAGIC.items():
            if head.startswith(magic):
                return f"is {what}, not text; name it so, or unpack it"
        encodings = [encoding for mark, encoding in _BOMS.items() if head.startswith(mark)]
        if len(head) > 1 and b"\0" in head[:2]:
            encodings.append("UTF-16")  # without a mark
        return f"is {encodings[0]}, not UTF-8; {iconv_advice(name, encodings[0])}" if encodings else None

    def lines(self) -> Iterator[bytes]:
        """The lines, without a byte order mark. In a file without line feeds, carriage returns end them."""
        head = self.head()
        if head.startswith(BOM):
            self.stream.read(len(BOM))
        if b"\n" in head or b"\r" not in head:
            yield from self.stream
            return
        rest = b""
        while block := self.stream.read(_BLOCK_BYTES):
            *whole, rest = (rest + block).split(b"\r")
            yield from (line + b"\r" for line in whole)
        if rest:
            yield rest


@contextmanager
def opened(filesystem: Any, file: DataFile) -> Iterator[Opened]:
    """The decompressed content of a file."""
    with ExitStack() as stack:
        if isinstance(filesystem, LocalFileSystem):
            raw: IO[bytes] = stack.enter_context(open(file.path, "rb"))  # noqa: PTH123  # fsspec's is slower
        else:
            raw = stack.enter_context(filesystem.open(file.path, "rb"))
        content: Any = raw if file.compression is None else _decompressed(raw, file.compression)
        yield Opened(file, raw, io.BufferedReader(content, _BUFFER_BYTES))


def iconv_advice(name: str, encoding: str | None = None) -> str:
    """How to convert a file to UTF-8. An unknown encoding is not guessed: many would give some text."""
    command = f"iconv -f {encoding or 'ENCODING'} -t UTF-8 {name} > utf8-{name.rpartition('/')[2]}"
    return f"convert it: {command}" + ("" if encoding else ", with the encoding in which it was saved")


def _decompressed(raw: IO[bytes], compression: Compression) -> Any:
    match compression:
        case Compression.GZIP:
            return gzip.GzipFile(fileobj=raw)
        case Compression.BZIP2:
            return bz2.BZ2File(raw)
        case Compression.XZ:
            return lzma.LZMAFile(raw)
        case Compression.ZSTANDARD:
            import pyarrow

            return pyarrow.CompressedInputStream(pyarrow.PythonFile(raw, mode="r"), "zstd")
