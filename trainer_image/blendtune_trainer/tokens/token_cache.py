"""A cache of encoded rows on disk, keyed by the digest of everything that decides the encoding."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blendtune_runtime.files import replacing


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeats:
    """The price of rows each of whose answers is an example of its own."""

    rows: int = 0  # with several examples
    examples: int = 0  # of these rows
    tokens: int = 0  # that are in several examples of a row, each time but the first

    def __add__(self, other: Repeats) -> Repeats:
        return Repeats(
            rows=self.rows + other.rows,
            examples=self.examples + other.examples,
            tokens=self.tokens + other.tokens,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EncodedChunk:
    """The examples of a chunk, concatenated, and the rows left out. Rows are indices into the chunk."""

    input_ids: NDArray[np.int32]  # [tokens]
    supervised: NDArray[np.bool_]  # [tokens]
    lengths: NDArray[np.int64]  # [examples] tokens of each example
    rows: NDArray[np.int64]  # [examples] row of each example, in order; several may be of one row
    too_long: tuple[tuple[int, int], ...] = ()  # (row, tokens) of each row over the sequence length
    faults: tuple[tuple[int, str], ...] = ()  # (row, message) of each row that cannot be learnt from

    @property
    def repeats(self) -> Repeats:
        """What the examples of the same row repeat: the shorter ones are also in the text of the longest."""
        if not len(self.rows):
            return Repeats()
        starts = np.flatnonzero(np.diff(self.rows, prepend=-1))
        counts = np.diff(starts, append=len(self.rows))
        longest = np.maximum.reduceat(self.lengths, starts)
        return Repeats(
            rows=int((counts > 1).sum()),
            examples=int(counts[counts > 1].sum()),
            tokens=int(self.lengths.sum() - longest.sum()),
        )


class TokenCache:
    """One file per chunk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._used: set[str] = set()
        self.hits = 0

    def get(self, key: str) -> EncodedChunk | None:
        """The cached chunk. None if there is none, or if its file is damaged: it is then encoded again."""
        try:
            with self._path(key).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                left_out = json.loads(bytes(arrays["left_out"]))
                chunk = EncodedChunk(
                    input_ids=arrays["input_ids"],
                    supervised=arrays["supervised"],
                    lengths=arrays["lengths"],
                    rows=arrays["rows"],
                    too_long=tuple((row, tokens) for row, tokens in left_out["too_long"]),
                    faults=tuple((row, message) for row, message in left_out["faults"]),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        self._used.add(key)
        self.hits += 1
        return chunk

    def put(self, key: str, chunk: EncodedChunk) -> None:
        """Writes a chunk."""
        left_out = json.dumps({"too_long": chunk.too_long, "faults": chunk.faults}).encode()
        with replacing(self._path(key)) as file:
            np.savez(
                file,
                input_ids=chunk.input_ids,
                supervised=chunk.supervised,
                lengths=chunk.lengths,
                rows=chunk.rows,
                left_out=np.frombuffer(left_out, np.uint8),
            )
        self._used.add(key)

    def prune(self) -> None:
        """Removes the files that this object has not used."""
        for file in self._folder.glob("*.npz"):
            if file.stem not in self._used:
                file.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.npz"
