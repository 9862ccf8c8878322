"""The data of a run, and the share of each source."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Annotated, ClassVar

from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1.columns import Columns
from blendtune_api.v1alpha1.enums import BadRowPolicy, OverLength, Role, Unit
from blendtune_api.v1alpha1.limits import (
    DATA_URI,
    DNS_LABEL,
    GENERAL_MAX_EPOCHS,
    HUB_CONFIG,
    HUB_DATA,
    HUB_ONLY_CEL,
    HUB_SPLIT,
    MAX_SOURCES,
    PERCENT,
    SELF_MAX_EPOCHS,
    SELF_URI,
    SOURCE_URI,
    VALIDATION_FRACTION,
    is_hub_data,
)
from blendtune_api.v1alpha1.rehearsal import SelfRehearsal

_HUB_ALONE = Rule(
    cel=HUB_ONLY_CEL,
    message=f"split and config are for a uri that begins with {HUB_DATA}",
    check=lambda self: not (self.split or self.config) or is_hub_data(self.uri),
)
_SPLIT = Mark(
    "Split of an hf:// data set. Unset: train. A data set without it is refused with those that it has.",
    pattern=HUB_SPLIT,
    max_length=255,
)
_CONFIG = Mark(
    "Configuration (subset) of an hf:// data set. Unset: the only one, or its default.",
    pattern=HUB_CONFIG,
    max_length=255,
)
_COLUMNS = Mark("Columns of the rows, where they have other names than the usual ones.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    epochs: Annotated[
        float | None,
        Mark(
            "Passes over the in-domain data; over all data when no source is in-domain.",
            exclusive_minimum=0,
            maximum=1000,
        ),
    ] = None
    tokens: Annotated[
        int | None, Mark("Tokens of the whole blend, all sources together.", minimum=1, maximum=10**15)
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.epochs) != has(self.tokens)",
            message="set exactly one of epochs and tokens",
            check=lambda self: (self.epochs is None) != (self.tokens is None),
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    name: Annotated[
        str, Mark("Name of the source, unique within the blend.", pattern=DNS_LABEL, max_length=40)
    ]
    role: Annotated[Role, Mark("inDomain or general.")]
    uri: Annotated[
        str,
        Mark(
            "Rows of conversations in JSON, CSV, Parquet or Arrow files: hf://datasets/org/name, s3://, "
            "pvc://claim/path, or file:///path in local mode. self://, for a general source: the base model "
            "writes its rows.",
            pattern=SOURCE_URI,
            max_length=1024,
        ),
    ]
    weight: Annotated[
        float,
        Mark(
            "Share of the blend, relative to the other sources' weights.",
            exclusive_minimum=0,
            maximum=1_000_000,
        ),
    ]
    max_epochs: Annotated[
        float | None,
        Mark(
            "Most passes over this source. Unset: 4 for a general source, 2 for self://, the budget's epochs "
            "rounded up for an in-domain one. A blend that needs more is refused.",
            exclusive_minimum=0,
            maximum=1000,
        ),
    ] = None
    split: Annotated[str | None, _SPLIT] = None
    config: Annotated[str | None, _CONFIG] = None

    columns: Annotated[Columns | None, _COLUMNS] = None
    self_rehearsal: Annotated[
        SelfRehearsal | None, Mark("How the rows of a uri self:// are written. Unset: by its defaults.")
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        _HUB_ALONE,
        Rule(
            cel=f"self.uri != '{SELF_URI}' || self.role == 'general'",
            message=f"{SELF_URI} is what the base model knows already: it can only be a general source",
            check=lambda self: not self.is_self or self.role is Role.GENERAL,
            field_path="role",
        ),
        Rule(
            cel=f"self.uri == '{SELF_URI}' || !has(self.selfRehearsal)",
            message=f"selfRehearsal says how rows are written: it goes with uri {SELF_URI} only",
            check=lambda self: self.is_self or self.self_rehearsal is None,
            field_path="selfRehearsal",
        ),
        Rule(
            cel=f"self.uri != '{SELF_URI}' || !has(self.columns)",
            message=f"the rows of {SELF_URI} have no other columns than messages: leave columns out",
            check=lambda self: not self.is_self or self.columns is None,
            field_path="columns",
        ),
    )

    @property
    def is_self(self) -> bool:
        """Whether the base model writes the rows."""
        return self.uri == SELF_URI

    @property
    def rehearsal(self) -> SelfRehearsal:
        """How the base model writes the rows."""
        return self.self_rehearsal or SelfRehearsal()

    def resolved_max_epochs(self, budget: Budget) -> float:
        """The most passes over this source; by default infinite for in-domain data and a budget of tokens."""
        if self.max_epochs is not None:
            return self.max_epochs
        if self.is_self:
            return SELF_MAX_EPOCHS
        if self.role is Role.GENERAL:
            return GENERAL_MAX_EPOCHS
        return float(ceil(budget.epochs)) if budget.epochs is not None else float("inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    fraction: Annotated[
        float | None,
        Mark(
            "Fraction of each source's rows held out before blending. Unset, without uri: 0.02.",
            minimum=0,
            maximum=0.5,
        ),
    ] = None
    uri: Annotated[
        str | None, Mark("Rows to validate on instead, never trained on.", pattern=DATA_URI, max_length=1024)
    ] = None
    split: Annotated[str | None, _SPLIT] = None
    config: Annotated[str | None, _CONFIG] = None
    columns: Annotated[Columns | None, _COLUMNS] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!(has(self.fraction) && has(self.uri))",
            message="set at most one of fraction and uri",
            check=lambda self: self.fraction is None or self.uri is None,
        ),
        _HUB_ALONE,
        Rule(
            cel="!has(self.columns) || has(self.uri)",
            message="columns are those of the rows at uri: set uri",
            check=lambda self: self.columns is None or self.uri is not None,
        ),
    )

    @property
    def resolved_fraction(self) -> float:
        """The fraction of each source that is held out; 0 if `uri` names the validation rows."""
        if self.uri is not None:
            return 0.0
        return VALIDATION_FRACTION if self.fraction is None else self.fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Blend:
    sources: Annotated[
        tuple[Source, ...],
        Mark("The data and the share of each.", min_items=1, max_items=MAX_SOURCES, list_map_keys=("name",)),
    ]
    budget: Annotated[Budget, Mark("How much to train on: epochs or tokens.")]
    unit: Annotated[
        Unit, Mark("What the weights count, after templating and removal of over-long conversations.")
    ] = Unit.TOKENS
    seed: Annotated[
        int, Mark("Seed of the order and of the validation split.", minimum=0, maximum=2**31 - 1)
    ] = 42
    over_length: Annotated[
        OverLength, Mark("drop (counted and reported) or error, for a conversation over the sequence length.")
    ] = OverLength.DROP
    bad_rows: Annotated[
        BadRowPolicy,
        Mark("error, or drop (counted and listed), for a row that cannot be learnt from."),
    ] = BadRowPolicy.ERROR
    max_bad_rows: Annotated[
        int | str,
        Mark(
            "With badRows drop: the most rows of each source that may be dropped, as a percentage such as "
            '"0.5%", rounded up to whole rows, or as a number.',
            max_length=8,
            int_or_string=True,
        ),
    ] = "1%"
    validation: Annotated[Validation, Mark("Rows held out, or where to find them.")] = field(
        default_factory=Validation
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"type(self.maxBadRows) == int ? self.maxBadRows >= 0 : self.maxBadRows.matches('{PERCENT}')",
            message="maxBadRows must be a percentage such as 1%, or a number of rows",
            check=lambda self: _is_share(self.max_bad_rows),
            field_path="maxBadRows",
        ),
        Rule(
            cel=f"!has(self.budget.epochs) || !self.sources.exists(s, s.uri == '{SELF_URI}') || "
            "self.sources.exists(s, s.role == 'inDomain')",
            message=f"epochs are passes over the in-domain data: beside {SELF_URI}, add a source of role "
            "inDomain, or set budget.tokens",
            check=lambda self: (
                self.budget.epochs is None
                or not self.self_sources
                or any(source.role is Role.IN_DOMAIN for source in self.sources)
            ),
            field_path="budget",
        ),
    )

    @property
    def self_sources(self) -> tuple[Source, ...]:
        """The sources whose rows the base model writes."""
        return tuple(source for source in self.sources if source.is_self)

    def allowed_bad_rows(self, rows: int) -> int:
        """The most bad rows of a source of so many `rows` that may be dropped."""
        if isinstance(self.max_bad_rows, int):
            return self.max_bad_rows
        return ceil(Fraction(self.max_bad_rows.removesuffix("%")) * rows / 100)


def _is_share(value: int | str) -> bool:
    return value >= 0 if isinstance(value, int) else re.fullmatch(PERCENT, value) is not None
