"""The flags by which rows say which answers are learnt.

OpenAI, Mistral and Together call it `weight`, axolotl `train` or `training`, ms-swift `loss`, torchtune
`masked`; TRL's unpaired preferences have a `label`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from blendtune_api.v1alpha1 import BadRowReason
from blendtune_trainer.rows.cells import is_blank
from blendtune_trainer.rows.faults import RowFault

_LEARNT = ("weight", "train", "training", "trainable", "do_train", "loss", "loss_mask")
_MASKED = ("mask", "masked")
_DETAILS = ("train_detail", "training_detail")  # spans of characters
FLAGS = frozenset({*_LEARNT, *_MASKED, *_DETAILS})
_PREFERENCES = ("prompt", "completion")  # of TRL's unpaired ones
_WORDS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


def is_supervised(turn: Mapping[str, Any], where: str) -> bool | None:
    """Whether a turn is to be learnt; None if it has no flag. One flag that says no is enough.

    Raises RowFault for a weight between 0 and 1, and for a part of a turn.
    """
    said: bool | None = None
    for key in FLAGS.intersection(turn):
        value = turn[key]
        if is_blank(value):
            continue
        learnt = _is_learnt(key, value) if key not in _DETAILS else None
        if learnt is None:
            raise RowFault(
                f"{where}.{key}: an answer is learnt as a whole or not at all: 1 or 0, true or false",
                BadRowReason.WRONG_TYPE,
            )
        said = learnt if said is None else said and learnt
    return said


def require_learnt(row: Mapping[str, Any], names: Iterable[str], essential: tuple[str, ...]) -> None:
    """Raises RowFault if a column beside the `essential` ones says that none of the row is to be learnt.

    A column of such a name that holds more than yes or no is another thing, such as the weight of a parcel.
    """
    for name in names:
        value = row[name]
        rejected = name == "label" and value is False and essential == _PREFERENCES
        if rejected or (name in FLAGS and _is_learnt(name, value) is False):
            raise RowFault(f"{name} is {value}: this row is not to be learnt", BadRowReason.NO_ANSWER)


def _is_learnt(key: str, value: object) -> bool | None:
    """What a flag says; None if it is neither yes nor no."""
    flag = _WORDS.get(str(value).strip().lower())
    return None if flag is None else flag is not (key in _MASKED)
