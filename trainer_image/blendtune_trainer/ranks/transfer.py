"""Copies to the device for which the host does not wait."""

from __future__ import annotations

import torch
from torch import Tensor


def send(values: Tensor, device: torch.device) -> Tensor:
    """`values`, which are on the CPU, on their way to `device`: work queued there later finds them arrived.

    Only a copy from pinned memory can be left alone; its pages are kept until it is done. On a CPU it is
    `values` itself.
    """
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
