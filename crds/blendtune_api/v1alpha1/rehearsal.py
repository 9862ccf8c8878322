"""Rows that the base model writes itself, to keep what it knows: the source `self://`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1.columns import Columns
from blendtune_api.v1alpha1.enums import Engine, RejectedBecause
from blendtune_api.v1alpha1.limits import (
    DATA_URI,
    HUB_CONFIG,
    HUB_ONLY_CEL,
    HUB_SPLIT,
    MAX_REJECTIONS,
    MAX_SCRIPTS,
    MAX_SOURCES,
    is_hub_data,
)

AUTO = "auto"
REHEARSAL_MAX_NEW_TOKENS = {False: 512, True: 2048}  # by whether answers begin with thoughts
REHEARSAL_TEMPERATURE = 0.7  # what most chat models are used with: fewer words from the far tail


@dataclass(frozen=True, kw_only=True, slots=True)
class RehearsalPrompts:
    """A data set of which the first question of each row is asked; its answers are not used."""

    uri: Annotated[
        str,
        Mark("Rows whose first questions the base model answers.", pattern=DATA_URI, max_length=1024),
    ]
    split: Annotated[
        str | None,
        Mark("Split of an hf:// data set. Unset: train.", pattern=HUB_SPLIT, max_length=255),
    ] = None
    config: Annotated[
        str | None,
        Mark(
            "Configuration (subset) of an hf:// data set. Unset: the only one, or its default.",
            pattern=HUB_CONFIG,
            max_length=255,
        ),
    ] = None
    columns: Annotated[
        Columns | None, Mark("Columns of the rows, where they have other names than the usual ones.")
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=HUB_ONLY_CEL,
            message="split and config are for a uri that begins with hf://datasets/",
            check=lambda self: not (self.split or self.config) or is_hub_data(self.uri),
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SelfRehearsal:
    """How the base model writes the rows of a source `self://`."""

    prompts: Annotated[
        RehearsalPrompts | None,
        Mark(
            "The questions. Unset: the model asks itself, from its chat template with the user's turn left "
            "open (arXiv 2406.08464), which only an instruct model can."
        ),
    ] = None
    tokens: Annotated[
        int | str | None,
        Mark(
            "Tokens to write. Unset or auto: as many as the source's share needs, within its maxEpochs.",
            max_length=4,
            int_or_string=True,
        ),
    ] = None
    temperature: Annotated[
        float | None,
        Mark(
            "Of the sampling. Unset: 0.7. 0: greedy, which needs prompts.",
            minimum=0,
            maximum=2,
        ),
    ] = None
    max_new_tokens: Annotated[
        int | None,
        Mark(
            "Longest question and longest answer, in tokens; a longer one is left out. Unset: 512, or "
            "2,048 where answers begin with thoughts.",
            minimum=8,
            maximum=32_768,
        ),
    ] = None
    engine: Annotated[Engine | None, Mark("What runs the model. Unset: transformers.")] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.tokens) || (type(self.tokens) == int ? self.tokens >= 1 : self.tokens == 'auto')",
            message="tokens must be auto, or a number from 1",
            check=lambda self: (
                self.tokens in (None, AUTO) or (isinstance(self.tokens, int) and self.tokens >= 1)
            ),
            field_path="tokens",
        ),
        Rule(
            cel="!has(self.temperature) || self.temperature > 0.0 || has(self.prompts)",
            message="a greedy model asks itself one question for ever: raise temperature, or set prompts",
            check=lambda self: self.temperature != 0 or self.prompts is not None,
            field_path="temperature",
        ),
    )

    @property
    def asked_tokens(self) -> int | None:
        """Tokens to write; None for as many as the shares need."""
        return self.tokens if isinstance(self.tokens, int) else None

    @property
    def resolved_temperature(self) -> float:
        return REHEARSAL_TEMPERATURE if self.temperature is None else self.temperature

    def resolved_max_new_tokens(self, thinking: bool) -> int:
        return self.max_new_tokens or REHEARSAL_MAX_NEW_TOKENS[thinking]

    @property
    def resolved_engine(self) -> Engine:
        return self.engine or Engine.TRANSFORMERS


@dataclass(frozen=True, kw_only=True, slots=True)
class RejectedRows:
    reason: Annotated[RejectedBecause, Mark("Why they were left out.")]
    rows: Annotated[int, Mark("Number of rows.", minimum=1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class RowsOfScript:
    script: Annotated[
        str, Mark("Script of most letters of a row, as Latin or Han; None without letters.", max_length=40)
    ]
    rows: Annotated[int, Mark("Number of rows.", minimum=1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class RehearsedSource:
    name: Annotated[str, Mark("Name of the source.", max_length=40)]
    rows: Annotated[int, Mark("Rows kept.", minimum=0)]
    tokens: Annotated[int, Mark("Tokens of the rows kept.", minimum=0)]
    longest: Annotated[int, Mark("Tokens of the longest row kept.", minimum=0)]
    written: Annotated[int, Mark("Rows that the base model has written, kept or not.", minimum=0)]
    reused: Annotated[
        int, Mark("Of these, rows that an earlier attempt or run had written already.", minimum=0)
    ]
    digest: Annotated[str, Mark("Digest of the rows kept, in order.", max_length=128)]
    rejected: Annotated[
        tuple[RejectedRows, ...],
        Mark("Rows left out, by reason, the most frequent first.", max_items=MAX_REJECTIONS),
    ] = ()
    scripts: Annotated[
        tuple[RowsOfScript, ...],
        Mark(
            f"Rows kept, by the script that they are written in, the {MAX_SCRIPTS} most frequent ones first.",
            max_items=MAX_SCRIPTS,
        ),
    ] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RehearsalStatus:
    """The rehearsal: its progress while it runs, and what it left."""

    progress_percentage: Annotated[int | None, Mark("Progress of the rehearsal.", minimum=0, maximum=100)] = (
        None
    )
    estimated_remaining_seconds: Annotated[int | None, Mark("Expected time to the end.", minimum=0)] = None
    last_updated_time: Annotated[
        str | None, Mark("When its pod last told its progress.", format="date-time")
    ] = None
    sources: Annotated[
        tuple[RehearsedSource, ...], Mark("What was written, by source.", max_items=MAX_SOURCES)
    ] = ()
