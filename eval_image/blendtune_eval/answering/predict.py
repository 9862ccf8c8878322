"""What a model says of given text: the log probability of each of its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from blendtune_eval.answering.answer import within_gpu_memory
from blendtune_runtime.held_out import PredictedText
from blendtune_runtime.outcomes import likeliest_tokens, outcomes

BATCH_TOKENS = 2_048  # padding included, unless one text is longer: the logits of a batch are held at once


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """Natural logarithms of probabilities, for the m predicted tokens of one text."""

    tokens: Tensor  # float32[m], of the tokens that stand there
    outcomes: Tensor  # float32[m, k + 1], of the tokens `ids` and of all others together
    ids: Tensor  # int64[m, k], the likeliest tokens; by default the model's own


@torch.inference_mode()
def predict_all(
    model: Any, texts: Sequence[PredictedText], of: Sequence[Prediction] | None = None
) -> list[Prediction]:
    """The model's predictions of each text, in order; with `of` for the likeliest tokens of those.

    Raises DoesNotFit where a GPU's memory does not do.
    """
    found: dict[int, Prediction] = {}
    with within_gpu_memory():
        for batch in _batches(texts):
            found |= _predict(model, batch, texts, of)
    return [found[index] for index in range(len(texts))]


def _batches(texts: Sequence[PredictedText]) -> Iterator[list[int]]:
    """Indices of texts, those of like length together."""
    batch: list[int] = []
    for index in sorted(range(len(texts)), key=lambda index: len(texts[index].token_ids)):
        if batch and (len(batch) + 1) * len(texts[index].token_ids) > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _predict(
    model: Any, batch: Sequence[int], texts: Sequence[PredictedText], of: Sequence[Prediction] | None
) -> dict[int, Prediction]:
    """The predictions of one batch. Padding stands at the end, where no token sees it."""
    width = max(len(texts[index].token_ids) for index in batch)
    ids, mask = torch.zeros(len(batch), width, dtype=torch.long), torch.zeros(len(batch), width).long()
    for row, index in enumerate(batch):
        length = len(texts[index].token_ids)
        ids[row, :length] = torch.from_numpy(texts[index].token_ids.astype(np.int64))
        mask[row, :length] = 1
    first = min(int(np.argmax(texts[index].predicted)) for index in batch)  # before it, nothing is predicted
    logits = model(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        use_cache=False,
        logits_to_keep=width - first + 1,
    ).logits
    offset = width - logits.shape[1]
    found = {}
    for row, index in enumerate(batch):
        places = torch.from_numpy(np.flatnonzero(texts[index].predicted))
        predicted = logits[row, (places - 1 - offset).to(logits.device)].float().cpu()
        likeliest = likeliest_tokens(predicted) if of is None else of[index].ids
        found[index] = Prediction(
            tokens=predicted.log_softmax(-1).gather(1, ids[row, places][:, None])[:, 0],
            outcomes=outcomes(predicted, likeliest),
            ids=likeliest,
        )
    return found
