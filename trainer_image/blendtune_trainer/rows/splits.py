"""The splits of a data set by the names of its files, as the hub names them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import PurePosixPath


class Split(StrEnum):
    """What the rows of a file are for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


# The words are those of datasets.data_files.
_WORDS = {
    Split.TRAIN: "train|training",
    Split.VALIDATION: "validation|valid|val|dev",
    Split.TEST: "test|testing|eval|evaluation",
}
_PATTERNS = {
    split: re.compile(rf"(^|[-._ 0-9])({words})([-._ 0-9]|$)", re.IGNORECASE)
    for split, words in _WORDS.items()
}


def split_of(name: str) -> Split | None:
    """The split that a file's name says, or that of the innermost folder which says one."""
    for part in reversed(PurePosixPath(name).parts):
        for split, pattern in _PATTERNS.items():
            if pattern.search(part):
                return split
    return None


def chosen_names(names: Sequence[str], purpose: Split) -> list[str]:
    """The files to read of a folder.

    To train: all but those of the other splits, if any are left. To validate: those of the validation split,
    else of the test split, else all.
    """
    splits = {name: split_of(name) for name in names}
    if purpose is Split.TRAIN:
        kept = [name for name in names if splits[name] in (Split.TRAIN, None)]
        return kept or list(names)
    for wanted in (Split.VALIDATION, Split.TEST):
        kept = [name for name in names if splits[name] is wanted]
        if kept:
            return kept
    return list(names)


def trains_on_others(chosen: Sequence[str], purpose: Split) -> bool:
    """Whether what is chosen to train is all of other splits, as their names say."""
    return (
        purpose is Split.TRAIN
        and bool(chosen)
        and all(split_of(name) not in (None, Split.TRAIN) for name in chosen)
    )
