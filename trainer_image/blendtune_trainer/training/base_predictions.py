"""What the base model predicts on held-out rows: taken down once, before any weight has changed, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blendtune_core.divergence import LIKELIEST
from blendtune_runtime.files import replacing
from blendtune_runtime.outcomes import likeliest_tokens, outcomes
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.training.compared import ComparedPositions
from blendtune_trainer.training.loss import split_rows

BASE_PREDICTIONS_FILE = "base-predictions.npz"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BasePredictions:
    """The base model's k likeliest tokens at each compared position; see `blendtune_core.divergence`."""

    token_ids: NDArray[np.int32]  # [positions, k]
    logarithms: NDArray[np.float32]  # [positions, k + 1]; the last is of all other tokens together

    def write(self, path: Path, identity: str) -> None:
        """Writes a file, completely or not at all. `identity`: digest of the model and of the positions."""
        with replacing(path) as file:
            np.savez(file, identity=np.array(identity), token_ids=self.token_ids, logarithms=self.logarithms)

    @staticmethod
    def read(path: Path, identity: str) -> BasePredictions | None:
        """What a file holds; None if there is none that can be read, or it is of another identity."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                if str(arrays["identity"]) != identity:
                    return None
                return BasePredictions(token_ids=arrays["token_ids"], logarithms=arrays["logarithms"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None


class Recording:
    """Takes down the predictions of a rank's validation bins; every rank has one."""

    def __init__(self, positions: ComparedPositions, vocabulary_size: int) -> None:
        likeliest = min(LIKELIEST, vocabulary_size)
        self._positions = positions
        self._token_ids = torch.zeros(len(positions), likeliest, dtype=torch.int32)
        self._logarithms = torch.zeros(len(positions), likeliest + 1)

    def read(self, index: int, logits: Tensor) -> None:
        """Takes down validation bin `index`. `logits` are [supervised tokens, vocabulary]."""
        here = self._positions.of_bin(index)
        ordinals = torch.from_numpy(self._positions.ordinals[here])
        start = here.start
        for rows in split_rows(ordinals.to(logits.device), logits.shape[1]):
            chosen = logits[rows]
            token_ids = likeliest_tokens(chosen)
            end = start + len(rows)
            self._token_ids[start:end] = token_ids.cpu()
            self._logarithms[start:end] = outcomes(chosen, token_ids).cpu()
            start = end

    def finish(self, ranks: Ranks) -> BasePredictions:
        """The predictions of all bins; every rank calls it and gets the same."""
        return BasePredictions(
            token_ids=ranks.sum_arrays(self._token_ids).numpy(),
            logarithms=ranks.sum_arrays(self._logarithms).numpy(),
        )


def base_predictions(
    path: Path, identity: str, ranks: Ranks, record: Callable[[], BasePredictions]
) -> BasePredictions:
    """What an earlier attempt has kept at `path`; else what `record` finds, which is then kept.

    Every rank calls it, and so does `record`. All get the same. Raises OSError if it cannot be written.
    """
    kept: BasePredictions | None = ranks.broadcast(
        BasePredictions.read(path, identity) if ranks.is_first else None
    )
    if kept is not None:
        return kept
    started = time.monotonic()
    found = record()
    if ranks.is_first:
        found.write(path, identity)
        size = path.stat().st_size
        seconds = time.monotonic() - started
        print(f"what the base model predicts is kept: {size / 1e6:.1f} MB in {seconds:.1f} s", flush=True)
    return found
