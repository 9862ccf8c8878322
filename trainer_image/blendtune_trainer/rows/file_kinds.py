"""What is in a file, by its name."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePosixPath


class FileKind(StrEnum):
    """The kinds of files with rows."""

    JSON_LINES = "JSON lines"
    JSON = "JSON"
    CSV = "CSV"
    PARQUET = "Parquet"
    ARROW = "Arrow"


class Compression(StrEnum):
    """How the bytes of a file are compressed."""

    GZIP = "gzip"
    ZSTANDARD = "zstd"
    BZIP2 = "bz2"
    XZ = "xz"


KINDS = {
    ".jsonl": FileKind.JSON_LINES,
    ".ndjson": FileKind.JSON_LINES,
    ".jsonlines": FileKind.JSON_LINES,
    ".json": FileKind.JSON,
    ".csv": FileKind.CSV,
    ".tsv": FileKind.CSV,
    ".parquet": FileKind.PARQUET,
    ".arrow": FileKind.ARROW,
}
_COMPRESSIONS = {
    ".gz": Compression.GZIP,
    ".zst": Compression.ZSTANDARD,
    ".zstd": Compression.ZSTANDARD,
    ".bz2": Compression.BZIP2,
    ".xz": Compression.XZ,
}
SUFFIXES = f"{', '.join(KINDS)}, all but the last two also compressed as .gz, .zst, .bz2 or .xz"
# What comes beside rows: the papers of a data set, and what datasets, Git, Spark and systems leave.
_METADATA = re.compile(
    r"(^|/)(readme|licen[sc]e|notice|citation|changelog)[^/]*$|\.(md|py|lock|crc|sha256|md5|cff)$"
    r"|(^|/)(dataset_infos?|dataset_dict|state)\.json$|(^|/)_(success|metadata|common_metadata)$"
    r"|(^|/)(\.git|\.cache|__pycache__|__macosx)/|(^|/)\.(gitattributes|gitignore|ds_store)$",
    re.IGNORECASE,
)
_CONTAINERS = re.compile(
    r"\.(zip|tar|tgz|tbz2?|txz|7z|rar|xlsx?|ods|avro|orc|feather|pkl|pickle|db|sqlite3?|lz4|br|sz|snappy|z|gz|zstd?|bz2|xz)$"
    r"|\.(tar|txt)\.\w+$",
    re.IGNORECASE,
)


def kind_of(name: str) -> tuple[FileKind, Compression | None] | None:
    """The kind of a file and its compression; None if it holds no rows that can be read."""
    path = PurePosixPath(name.lower())
    compression = _COMPRESSIONS.get(path.suffix)
    if compression is not None:
        path = path.with_suffix("")
    kind = KINDS.get(path.suffix)
    if kind is None or (compression and kind in (FileKind.PARQUET, FileKind.ARROW)):
        return None
    return kind, compression


def is_text(name: str) -> bool:
    """Whether a file holds rows as text."""
    kind = kind_of(name)
    return kind is not None and kind[0] not in (FileKind.PARQUET, FileKind.ARROW)


def is_metadata(name: str) -> bool:
    """Whether a file belongs to a data set without being data."""
    return _METADATA.search(name) is not None


def is_container(name: str) -> bool:
    """Whether a file probably holds data, in a form that is not read."""
    return _CONTAINERS.search(name) is not None


def is_hidden(name: str) -> bool:
    """Whether a file, or a folder above it, is hidden as tools hide what is not data."""
    return any(part.startswith((".", "_")) for part in PurePosixPath(name).parts)
