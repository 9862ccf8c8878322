"""Why the rules leave an answer undecided."""

from __future__ import annotations

from enum import StrEnum


class Doubt(StrEnum):
    """What the rules met that they cannot read. The values are told to the reader."""

    SEVERAL_VALUES = "several values for the same thing"
    NOTATION = "a number or date that can be read in two ways"
    UNIT = "a number without a clear unit"
    SUBJECT = "a value that may belong to something else"
    NEGATION = "a negation or reservation of unclear reach"
    CONDITION = "a claim under a condition"
    QUOTATION = "what others are said to believe"
    CORRECTION = "a correction whose result is unclear"
    ENUMERATION = "one item of a list"
    POLARITY = "a yes or no that the rest does not match"
    SPELLING = "a word that is nearly the expected one"
    COMPOUND = "the expected word within a compound"
    LANGUAGE = "another language or script"
