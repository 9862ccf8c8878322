"""The examples of all sources of a run, and what is told about their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from blendtune_api.v1alpha1 import BadRows, Source, Validation
from blendtune_runtime.chat.conversation import Conversation
from blendtune_runtime.chat.rendering import Rendering
from blendtune_runtime.uris import HubData, StorePath, data_location
from blendtune_trainer.rows.collect import Row, RowSource, collect
from blendtune_trainer.rows.console import console_progress
from blendtune_trainer.rows.faults import BadRowList, Faults, SourceFaults, merged
from blendtune_trainer.rows.notes import Notes
from blendtune_trainer.rows.splits import Split
from blendtune_trainer.stage import Run
from blendtune_trainer.tokens.examples import Examples, encode_rows
from blendtune_trainer.tokens.row_encoder import RowEncoder
from blendtune_trainer.tokens.thinking import Mode
from blendtune_trainer.tokens.token_cache import TokenCache
from blendtune_trainer.tokens.token_files import TokenFiles

_VALIDATION = "validation"  # its name in messages


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EncodedSources:
    """The examples of every source, and those of `spec.blend.validation.uri` if it is set."""

    sources: tuple[tuple[Source, Examples], ...]
    validation: Examples | None
    bad_rows: tuple[BadRows, ...]  # of all, by reason
    warnings: tuple[str, ...]

    @property
    def all(self) -> tuple[Examples, ...]:
        validation = (self.validation,) if self.validation else ()
        return (*(examples for _, examples in self.sources), *validation)


class Search(Protocol):
    """Looks at each row of the sources."""

    def search(self, place: str, conversation: Conversation) -> None: ...


def row_encoder(run: Run, tokenizer: Any, cache: TokenCache, mode: Mode) -> RowEncoder:
    """Encodes rows as this run renders them; a context manager."""
    return RowEncoder(
        tokenizer,
        run.config.spec.training.sequence_length,
        cache,
        rendering=Rendering(date=date.fromisoformat(run.config.date), thinking=mode.thinking),
        on_reasoning=mode.on_reasoning,
    )


def encode_sources(
    run: Run, encoder: RowEncoder, tokens: TokenFiles, search: Search, *, with_self: bool = True
) -> EncodedSources:
    """The examples of all sources, or of all but those self://, and of the validation rows.

    `tokens` holds their tokens then. `search` looks through the rows of the sources. Raises BadData with the
    faults of all, Transient if a store or the hub does not answer, and BadConfiguration if it may not be
    read. The workspace's bad_rows.jsonl lists the bad rows in either case.
    """
    blend = run.config.spec.blend
    listing = BadRowList(run.workspace.bad_rows)
    tokens.clear()
    work = _Work(
        run=run, encoder=encoder, tokens=tokens, faults=Faults(), listing=listing, told=[], warnings=[]
    )
    try:
        sources = tuple(
            (source, work.encode(source.name, source, f"sources[{index}]", search))
            for index, source in enumerate(blend.sources)
            if with_self or not source.is_self
        )
        validation = None
        if blend.validation.uri is not None:
            validation = work.encode(_VALIDATION, blend.validation, "validation", None)
    finally:
        listing.close()
    work.faults.check()
    return EncodedSources(
        sources=sources,
        validation=validation,
        bad_rows=merged(work.told),
        warnings=tuple(work.warnings),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Work:
    """What the sources of a run share while they are encoded."""

    run: Run
    encoder: RowEncoder
    tokens: TokenFiles
    faults: Faults
    listing: BadRowList
    told: list[SourceFaults]  # of each source so far
    warnings: list[str]

    def encode(self, name: str, data: Source | Validation, where: str, search: Search | None) -> Examples:
        """The examples of the rows of `data`, which `spec.blend` has at `where`."""
        blend, field, uri = self.run.config.spec.blend, f"spec.blend.{where}", data.uri or ""
        earlier_faults = self.faults.count
        faults = SourceFaults(self.faults, source=name, policy=blend.bad_rows, listing=self.listing)
        notes = Notes()
        if isinstance(data, Source) and data.is_self:
            location: HubData | StorePath = StorePath(url=str(self.run.workspace.rehearsed(data.name)))
        else:
            location = data_location(
                uri, self.run.claims, f"{field}.uri", split=data.split, config=data.config
            )
        source = RowSource(
            location=location,
            field=field,
            columns=data.columns,
            purpose=Split.TRAIN if search is not None else Split.VALIDATION,
        )
        rows = collect(source, faults, notes)
        examples = encode_rows(
            rows if search is None else _searched(rows, search),
            self.encoder,
            self.tokens,
            over_length=blend.over_length,
            seed=blend.seed,
            faults=faults,
            progress=console_progress(name),
        )
        faults.check_dropped(examples.rows, blend.allowed_bad_rows(examples.rows), blend.max_bad_rows)
        if not len(examples) and self.faults.count == earlier_faults:
            self.faults.add(f"{field}.uri ({name})", _nothing_left(examples, faults, uri))
        self.told.append(faults)
        self._tell(name, faults, notes)
        return examples

    def _tell(self, name: str, faults: SourceFaults, notes: Notes) -> None:
        for line in notes.information():
            print(f"{name}: {line}", flush=True)
        for each in faults.by_reason():
            print(f"{name}: {each.rows:,} bad rows: {each.reason}, first {each.first}", flush=True)
        self.warnings.extend(f"{name}: {line}" for line in notes.warnings())


def _searched(rows: Iterable[Row], search: Search) -> Iterator[Row]:
    """The rows, each searched for the prompts of the rubric."""
    for row in rows:
        search.search(row.place, row.conversation)
        yield row


def _nothing_left(examples: Examples, faults: SourceFaults, uri: str) -> str:
    """Why a source without faults has no examples."""
    if not examples.rows:
        return f"{uri} holds no rows"
    if faults.bad_rows:
        return f"of {examples.rows:,} rows of {uri} {faults.bad_rows:,} are bad, and the others are too long"
    return f"all {examples.rows:,} rows of {uri} are longer than spec.training.sequenceLength; raise it"
