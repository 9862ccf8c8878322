"""What the rules say of one criterion."""

from __future__ import annotations

from dataclasses import dataclass

from blendtune_eval.rules.doubt import Doubt


@dataclass(frozen=True, slots=True)
class Yes:
    reason: str


@dataclass(frozen=True, slots=True)
class No:
    """`contradicted`: the answer gives two values for the same fact, which makes the whole answer wrong."""

    reason: str
    contradicted: bool = False


@dataclass(frozen=True, slots=True)
class Unsure:
    doubt: Doubt
    reason: str


Decision = Yes | No | Unsure
