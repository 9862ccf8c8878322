"""How far a model has come in the data it was trained on: what another run needs to go on from there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blendtune_api.codec import decode, encode
from blendtune_runtime.files import write_text
from blendtune_trainer.blending.packed import PackedBlend

LINEAGE_FILE = "blendtune.json"  # in the folder of a model; in that of a blend, how far it starts


@dataclass(frozen=True, kw_only=True, slots=True)
class SourcePosition:
    """`taken` examples of a source were trained on, pass after pass."""

    name: str
    digest: str  # of the examples that could be
    examples: int  # of one pass
    taken: int

    @property
    def passes(self) -> float:
        return self.taken / max(1, self.examples)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    seed: int  # of the permutations
    sources: tuple[SourcePosition, ...]

    def continued_at(self, fresh: Lineage) -> Lineage:
        """`fresh`, moved to where this one ended in the sources that both hold unchanged, under one seed."""
        if self.seed != fresh.seed:
            return fresh
        ended = {(source.name, source.digest): source.taken for source in self.sources}
        sources = (
            replace(source, taken=ended.get((source.name, source.digest), 0)) for source in fresh.sources
        )
        return replace(fresh, sources=tuple(sources))

    def after(self, blend: PackedBlend, bins: int) -> Lineage:
        """Where the training stands after the first `bins` of a blend that starts here.

        Short of the last bin it is exact to a packing window, in which examples change places.
        """
        placed = blend.bin_examples[: int(blend.bin_offsets[bins])]
        counts = np.bincount(blend.example_sources[placed], minlength=len(blend.source_names))
        taken: Mapping[str, int] = dict(zip(blend.source_names, counts.tolist(), strict=True))
        sources = (replace(source, taken=source.taken + taken[source.name]) for source in self.sources)
        return replace(self, sources=tuple(sources))


def read_lineage(folder: Path) -> Lineage | None:
    """None where the folder tells of no lineage, or of one that this version cannot read."""
    try:
        return decode(Lineage, json.loads((folder / LINEAGE_FILE).read_text()))
    except (OSError, ValueError):
        return None


def write_lineage(folder: Path, lineage: Lineage) -> None:
    write_text(folder / LINEAGE_FILE, json.dumps(encode(lineage), indent=2) + "\n")


def lineage_words(earlier: Lineage | None, start: Lineage) -> Iterable[str]:
    """What the base model's lineage means for each source of a blend that starts at `start`."""
    known = {source.name: source for source in earlier.sources} if earlier else {}
    for source in start.sources:
        if source.taken:
            yield f"{source.name}: goes on after {source.passes:.2f} passes of the model's earlier training"
        elif earlier and source.name in known:
            why = "spec.blend.seed is not that" if earlier.seed != start.seed else "its rows are not those"
            yield f"{source.name}: starts anew, for {why} of the model's earlier training"
