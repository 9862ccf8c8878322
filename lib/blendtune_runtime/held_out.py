"""General rows that a blend holds out, for the evaluation: how well does each model predict them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blendtune_runtime.files import replacing

MAX_ROWS = 1_024


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PredictedText:
    """A text of n tokens, and which of them a model is asked to predict from those before."""

    token_ids: NDArray[np.int32]  # [n]
    predicted: NDArray[np.bool_]  # [n]; False for the first token


def held_out_file(blend: Path) -> Path:
    """The file in a blend's folder."""
    return blend / "held-out.npz"


def write_held_out(path: Path, texts: Sequence[PredictedText]) -> None:
    """Writes the texts, completely or not at all; at most MAX_ROWS, evenly chosen."""
    if len(texts) > MAX_ROWS:
        texts = [texts[index] for index in np.linspace(0, len(texts) - 1, MAX_ROWS).astype(int)]
    lengths = [len(text.token_ids) for text in texts]
    with replacing(path) as file:
        np.savez(
            file,
            token_ids=np.concatenate([np.empty(0, np.int32), *(text.token_ids for text in texts)]),
            predicted=np.concatenate([np.empty(0, np.bool_), *(text.predicted for text in texts)]),
            lengths=np.array(lengths, np.int64),
        )


def read_held_out(path: Path) -> tuple[PredictedText, ...]:
    """The texts in a file; empty if there is none that can be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            ends = np.cumsum(arrays["lengths"])[:-1]
            token_ids, predicted = np.split(arrays["token_ids"], ends), np.split(arrays["predicted"], ends)
    except (OSError, ValueError, KeyError):
        return ()
    return tuple(
        PredictedText(token_ids=ids, predicted=mask)
        for ids, mask in zip(token_ids, predicted, strict=True)
        if len(ids)
    )
