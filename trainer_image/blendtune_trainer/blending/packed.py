"""The packed blend: the bins of fixed capacity that training reads in order, memory-mapped from disk."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blendtune_runtime.errors import BadData
from blendtune_runtime.files import replacing, write_text

IGNORED_LABEL = -100  # PyTorch's cross-entropy ignores it
_INDEX_FILE = "packed.json"  # written last: without it the blend is incomplete
_FORMAT = 1

_ARRAYS: dict[str, type[np.generic]] = {
    "input_ids": np.int32,
    "supervised": np.bool_,
    "example_offsets": np.int64,
    "example_sources": np.int16,
    "bin_examples": np.int32,
    "bin_offsets": np.int64,
    "validation_bin_examples": np.int32,
    "validation_bin_offsets": np.int64,
    "validation_bin_sources": np.int16,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """The examples of one bin, one after the other: n <= sequence_length tokens, without padding.

    Labels are not shifted: `labels[t]` is the token at t if it is supervised, else IGNORED_LABEL. The first
    token of an example is never a label, so that no token is predicted from another example.
    """

    input_ids: NDArray[np.int64]  # [n]
    labels: NDArray[np.int64]  # [n]
    position_ids: NDArray[np.int64]  # [n], from 0 in each example
    sources: NDArray[np.int16]  # [n], index of each token's source

    @property
    def supervised_tokens(self) -> int:
        return int(np.count_nonzero(self.labels != IGNORED_LABEL))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PackedBlend:
    """Every example once, and the bins in training order.

    Bin i holds the examples `bin_examples[bin_offsets[i]:bin_offsets[i + 1]]`. An example can be in several
    bins, one per pass over its source. A validation bin holds examples of one source only.
    """

    input_ids: NDArray[np.int32]  # [total tokens]
    supervised: NDArray[np.bool_]  # [total tokens]
    example_offsets: NDArray[np.int64]  # [examples + 1]
    example_sources: NDArray[np.int16]  # [examples], index into source_names
    bin_examples: NDArray[np.int32]  # [placements], in training order
    bin_offsets: NDArray[np.int64]  # [bins + 1]
    validation_bin_examples: NDArray[np.int32]  # [held-out examples]
    validation_bin_offsets: NDArray[np.int64]  # [validation bins + 1]
    validation_bin_sources: NDArray[np.int16]  # [validation bins], index into source_names
    source_names: tuple[str, ...]
    sequence_length: int
    digest: str

    @property
    def num_bins(self) -> int:
        return len(self.bin_offsets) - 1

    @property
    def num_validation_bins(self) -> int:
        return len(self.validation_bin_offsets) - 1

    def bin(self, index: int) -> Bin:
        return self._concatenate(self._examples_of(index))

    def validation_bin(self, index: int) -> Bin:
        start, end = self.validation_bin_offsets[index], self.validation_bin_offsets[index + 1]
        return self._concatenate(self.validation_bin_examples[start:end])

    def tokens(self, index: int) -> int:
        """Tokens of training bin `index`."""
        return sum(int(end - start) for start, end in self._spans(self._examples_of(index)))

    def supervised_tokens(self, index: int) -> int:
        """Labels of training bin `index`, over which its loss is summed."""
        return sum(
            int(np.count_nonzero(self.supervised[start + 1 : end]))
            for start, end in self._spans(self._examples_of(index))
        )

    def passes(self, sources: Collection[str]) -> float:
        """Passes over these sources: placements in bins per distinct example in bins."""
        numbers = [index for index, name in enumerate(self.source_names) if name in sources]
        held = self.bin_examples[np.isin(self.example_sources[self.bin_examples], numbers)]
        return len(held) / max(1, len(np.unique(held)))

    def write(self, folder: Path, files: Mapping[str, Path] | None = None) -> None:
        """Writes the blend into `folder`. Until the last file is written, `open` refuses the folder.

        `files` are arrays that stand in files already, on the same file system: these are moved.
        """
        files = files or {}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _INDEX_FILE).unlink(missing_ok=True)
        for name, path in files.items():
            path.replace(folder / f"{name}.npy")
        for name, kind in _ARRAYS.items():
            if name in files:
                continue
            with replacing(folder / f"{name}.npy") as file:
                np.save(file, np.ascontiguousarray(getattr(self, name), dtype=kind), allow_pickle=False)
        index: dict[str, Any] = {
            "format": _FORMAT,
            "sourceNames": self.source_names,
            "sequenceLength": self.sequence_length,
            "digest": self.digest,
        }
        write_text(folder / _INDEX_FILE, json.dumps(index, indent=2) + "\n")

    @staticmethod
    def open(folder: Path) -> PackedBlend:
        """The blend in `folder`, with memory-mapped arrays. Raises BadData if it is incomplete or missing."""
        try:
            index = json.loads((folder / _INDEX_FILE).read_text())
            if index["format"] != _FORMAT:
                raise ValueError(f"format {index['format']}, this trainer reads {_FORMAT}")
            arrays = {name: _map(folder / f"{name}.npy") for name in _ARRAYS}
        except (OSError, ValueError, KeyError) as error:
            raise BadData(f"{folder}: no whole packed blend ({error}); run the blend stage again") from error
        return PackedBlend(
            **arrays,
            source_names=tuple(index["sourceNames"]),
            sequence_length=index["sequenceLength"],
            digest=index["digest"],
        )

    def _examples_of(self, index: int) -> NDArray[np.int32]:
        return self.bin_examples[self.bin_offsets[index] : self.bin_offsets[index + 1]]

    def _spans(self, examples: NDArray[np.int32]) -> Iterator[tuple[int, int]]:
        for example in examples:
            yield int(self.example_offsets[example]), int(self.example_offsets[example + 1])

    def _concatenate(self, examples: NDArray[np.int32]) -> Bin:
        spans = list(self._spans(examples))
        total = sum(end - start for start, end in spans)
        input_ids = np.empty(total, np.int64)
        labels = np.empty(total, np.int64)
        position_ids = np.empty(total, np.int64)
        sources = np.empty(total, np.int16)
        at = 0
        for example, (start, end) in zip(examples, spans, strict=True):
            here = slice(at, at + end - start)
            input_ids[here] = self.input_ids[start:end]
            labels[here] = np.where(self.supervised[start:end], self.input_ids[start:end], IGNORED_LABEL)
            labels[at] = IGNORED_LABEL
            position_ids[here] = np.arange(end - start)
            sources[here] = self.example_sources[example]
            at = here.stop
        return Bin(input_ids=input_ids, labels=labels, position_ids=position_ids, sources=sources)


def _map(path: Path) -> NDArray[Any]:
    """A .npy file as a read-only, memory-mapped array."""
    array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
