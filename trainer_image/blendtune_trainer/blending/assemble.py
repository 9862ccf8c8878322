"""Assembles the packed blend from the examples of each source: hold out, blend, pack, number, digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from blendtune_api.contract import digest_of
from blendtune_api.v1alpha1 import Blend, BlendedSource, Source
from blendtune_trainer.blending.blend import BlendBudget, BlendOrder, BlendSource, blend, shares
from blendtune_trainer.blending.holdout import held_out
from blendtune_trainer.blending.lineage import Lineage, SourcePosition
from blendtune_trainer.blending.pack import Placements, fill, pack
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.tokens.examples import Examples
from blendtune_trainer.tokens.token_files import TokenFiles, blocks

VALIDATION_SOURCE = "(validation)"  # the rows of spec.blend.validation.uri; not a valid name of a source


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SourceExamples:
    """The examples of a source, and which of them are held out for validation."""

    source: Source
    examples: Examples
    held_out: NDArray[np.bool_]  # [examples]

    @property
    def digest(self) -> str:
        """SHA-256 of the examples to train on, in order."""
        return hashlib.sha256(self.examples.keys[self.trained].tobytes()).hexdigest()

    @property
    def trained(self) -> NDArray[np.int64]:
        """Indices of the examples to train on."""
        return np.flatnonzero(~self.held_out)


def split(
    sources: Sequence[tuple[Source, Examples]], fraction: float, validation: Examples | None
) -> tuple[SourceExamples, ...]:
    """Holds out a fraction of each source, so that no row is both trained on and validated on.

    A row that equals a held-out row of another source, or a row of `validation`, is held out too.
    """
    reserved = [examples.keys[held_out(examples.keys, fraction)] for _, examples in sources]
    if validation is not None:
        reserved.append(validation.keys)
    keys = np.concatenate([np.empty(0, np.uint64), *reserved])
    return tuple(
        SourceExamples(source=source, examples=examples, held_out=np.isin(examples.keys, keys))
        for source, examples in sources
    )


def first_pass(sources: Sequence[SourceExamples], seed: int) -> Lineage:
    """The lineage of sources that no model was trained on yet."""
    positions = (
        SourcePosition(name=each.source.name, digest=each.digest, examples=len(each.trained), taken=0)
        for each in sources
    )
    return Lineage(seed=seed, sources=tuple(positions))


def assemble(
    sources: Sequence[SourceExamples],
    validation: Examples | None,
    tokens: TokenFiles,
    spec: Blend,
    sequence_length: int,
    identity: object,
    start: Lineage,
) -> tuple[PackedBlend, tuple[BlendedSource, ...]]:
    """The packed blend, and what each source contributes to it.

    `tokens` holds the tokens of all sources and then of `validation`, in order.
    The digest of the blend covers its tokens, its order and `identity`: everything else that decides it. Each
    source continues from its position in `start`. Raises BadData if a source is too small for the budget.
    """
    blend_sources = [
        blend_source(each, spec, index, position.taken)
        for index, (each, position) in enumerate(zip(sources, start.sources, strict=True))
    ]
    budget = BlendBudget(epochs=spec.budget.epochs, tokens=spec.budget.tokens)
    order = blend(blend_sources, budget, spec.seed)
    everything = [each.examples for each in sources] + ([] if validation is None else [validation])
    first = np.cumsum([0, *map(len, everything)])  # number of each source's first example
    placed, placements = _place(sources, order, spec, first)
    bins = pack(placements, shares(blend_sources), capacity=sequence_length, seed=spec.seed)
    held = _validation_bins(sources, validation, sequence_length, first)
    names = [each.source.name for each in sources] + ([] if validation is None else [VALIDATION_SOURCE])
    input_ids, supervised = tokens.arrays()
    packed = PackedBlend(
        input_ids=input_ids,
        supervised=supervised,
        example_offsets=_offsets(np.concatenate([examples.lengths for examples in everything])),
        example_sources=np.repeat(np.arange(len(everything), dtype=np.int16), [*map(len, everything)]),
        bin_examples=placed[bins.items],
        bin_offsets=bins.offsets,
        validation_bin_examples=_flat(items for _, items in held).astype(np.int32),
        validation_bin_offsets=_offsets([len(items) for _, items in held]),
        validation_bin_sources=np.array([source for source, _ in held], np.int16),
        source_names=tuple(names),
        sequence_length=sequence_length,
        digest="",
    )
    return _with_digest(packed, identity), _achieved(sources, blend_sources, placements)


def blend_source(each: SourceExamples, spec: Blend, index: int, start: int = 0) -> BlendSource:
    """What the blend's arithmetic knows of a source, which `start` examples were taken from before."""
    return BlendSource(
        name=each.source.name,
        role=each.source.role,
        weight=each.source.weight,
        max_epochs=each.source.resolved_max_epochs(spec.budget),
        sizes=each.examples.sizes(spec.unit)[each.trained],
        tokens=int(each.examples.lengths[each.trained].sum()),
        unit=spec.unit,
        start=start,
        field=f"spec.blend.sources[{index}]",
    )


def _place(
    sources: Sequence[SourceExamples], order: BlendOrder, spec: Blend, first: NDArray[np.int64]
) -> tuple[NDArray[np.int32], Placements]:
    """The example of each placement, numbered over all sources, and its lengths, source and units.

    `first` is the number of each source's first example.
    """
    placed = np.empty(len(order.sources), np.int32)
    lengths = np.empty(len(order.sources), np.int64)
    units = np.empty(len(order.sources), np.int64)
    for index, each in enumerate(sources):
        here = order.sources == index
        examples = each.trained[order.examples[here]]
        placed[here] = first[index] + examples
        lengths[here] = each.examples.lengths[examples]
        units[here] = each.examples.sizes(spec.unit)[examples]
    return placed, Placements(lengths=lengths, sources=order.sources, units=units)


def _validation_bins(
    sources: Sequence[SourceExamples], validation: Examples | None, capacity: int, first: NDArray[np.int64]
) -> list[tuple[int, NDArray[np.int64]]]:
    """Each validation bin: index of the source, and the numbers of its examples over all sources."""
    if validation is None:
        held = [(each.examples, np.flatnonzero(each.held_out)) for each in sources]
    else:
        held = [(each.examples, np.empty(0, np.int64)) for each in sources]
        held.append((validation, np.arange(len(validation))))
    return [
        (index, first[index] + examples[items])
        for index, (source, examples) in enumerate(held)
        for items in fill(source.lengths[examples], capacity)
    ]


def _achieved(
    sources: Sequence[SourceExamples], blend_sources: Sequence[BlendSource], placements: Placements
) -> tuple[BlendedSource, ...]:
    """What each source contributes to the blend."""
    target = shares(blend_sources)
    total = placements.units.sum()
    achieved = []
    for index, each in enumerate(sources):
        here = placements.sources == index
        achieved.append(
            BlendedSource(
                name=each.source.name,
                examples=int(here.sum()),
                tokens=int(placements.lengths[here].sum()),
                target_share=float(target[index]),
                achieved_share=float(placements.units[here].sum() / total),
                epochs=float(here.sum() / len(each.trained)),
                dropped=each.examples.dropped,
                bad_rows=each.examples.bad_rows or None,
            )
        )
    return tuple(achieved)


def _with_digest(packed: PackedBlend, identity: object) -> PackedBlend:
    """The blend with the digest of its identity, its tokens and its order."""
    digest = hashlib.sha256(digest_of(identity).encode())
    for array in (
        packed.input_ids,
        packed.supervised,
        packed.example_offsets,
        packed.bin_examples,
        packed.bin_offsets,
        packed.validation_bin_examples,
        packed.validation_bin_offsets,
    ):
        for block in blocks(array):
            digest.update(block)
    return replace(packed, digest=digest.hexdigest())


def _offsets(lengths: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _flat(lists: Iterable[Iterable[int]]) -> NDArray[np.int64]:
    return np.fromiter(chain.from_iterable(lists), np.int64)
