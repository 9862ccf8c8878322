"""One forward pass over one bin."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from blendtune_trainer.packed import IGNORED_LABEL, Bin

# Two tokens of which none is supervised: a pass without weight that takes part in every collective.
_EMPTY = Bin(
    input_ids=np.zeros(2, np.int64),
    labels=np.full(2, IGNORED_LABEL, np.int64),
    position_ids=np.arange(2, dtype=np.int64),
    sources=np.zeros(2, np.int16),
)


def forward(engine: Any, contents: Bin | None, device: torch.device) -> Tensor:
    """Summed negative log-likelihood of the bin's supervised tokens; 0, with a gradient of 0, for None."""
    row = contents or _EMPTY
    arrays = (row.input_ids, row.labels, row.position_ids)
    loss: Tensor = engine(*(torch.from_numpy(array)[None].to(device) for array in arrays))
    return loss
