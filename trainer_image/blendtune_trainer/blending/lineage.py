"""How far into its sources a model was trained, so that another run can resume from there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blendtune_api.codec import decode, encode
from blendtune_runtime.files import write_text
from blendtune_trainer.blending.packed import PackedBlend

LINEAGE_FILE = "blendtune.json"  # of a model: where its training ended; of a blend: where it starts


@dataclass(frozen=True, kw_only=True, slots=True)
class SourcePosition:
    """The position in one source."""

    name: str
    digest: str  # of the examples to train on, in order
    examples: int  # in one pass
    taken: int  # examples trained on so far, counted over all passes

    @property
    def passes(self) -> float:
        return self.taken / max(1, self.examples)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lineage:
    """The position in every source of a blend."""

    seed: int  # of the permutations, one per pass
    sources: tuple[SourcePosition, ...]

    def resumed(self, fresh: Lineage) -> Lineage:
        """`fresh` with each source advanced to its position here.

        A source whose name or examples differ starts at 0, and so do all if the seeds differ.
        """
        if self.seed != fresh.seed:
            return fresh
        ended = {(source.name, source.digest): source.taken for source in self.sources}
        sources = (
            replace(source, taken=ended.get((source.name, source.digest), 0)) for source in fresh.sources
        )
        return replace(fresh, sources=tuple(sources))

    def after(self, blend: PackedBlend, bins: int) -> Lineage:
        """The position after training on the first `bins` bins of a blend that starts here.

        Before the last bin it is exact only to a packing window, within which packing reorders examples.
        """
        placed = blend.bin_examples[: int(blend.bin_offsets[bins])]
        counts = np.bincount(blend.example_sources[placed], minlength=len(blend.source_names))
        taken: Mapping[str, int] = dict(zip(blend.source_names, counts.tolist(), strict=True))
        sources = (replace(source, taken=source.taken + taken[source.name]) for source in self.sources)
        return replace(self, sources=tuple(sources))


def read_lineage(folder: Path) -> Lineage | None:
    """The lineage in a folder; None if there is none, or if this version cannot read it."""
    try:
        return decode(Lineage, json.loads((folder / LINEAGE_FILE).read_text()))
    except (OSError, ValueError):
        return None


def write_lineage(folder: Path, lineage: Lineage) -> None:
    """Writes the lineage into the folder of a model or blend."""
    write_text(folder / LINEAGE_FILE, json.dumps(encode(lineage), indent=2) + "\n")


def describe_lineage(earlier: Lineage | None, start: Lineage) -> Iterable[str]:
    """One line per source that the base model was trained on: where the blend starts in it, and why.

    `earlier` is the lineage of the base model, `start` that of the blend.
    """
    known = {source.name: source for source in earlier.sources} if earlier else {}
    for source in start.sources:
        if source.taken:
            yield f"{source.name}: goes on after {source.passes:.2f} passes of the model's earlier training"
        elif earlier and source.name in known:
            why = "spec.blend.seed is not that" if earlier.seed != start.seed else "its rows are not those"
            yield f"{source.name}: starts anew, for {why} of the model's earlier training"
