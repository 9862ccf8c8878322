"""Maps exceptions of PyTorch, DeepSpeed and the file system to stage errors."""

from __future__ import annotations

import re

import torch
from torch import distributed

from blendtune_runtime import errors
from blendtune_runtime.errors import OutOfMemory, PeerLost, StageError

_TORCH_WRITE_FAILED = re.compile(r"PytorchStreamWriter failed|file write failed|unexpected pos \d+ vs")
_PEER_GONE = re.compile(
    r"gloo[/\\]|[Cc]onnection (was )?(closed|reset|refused)|Broken pipe|NCCL|Socket Timeout|Timed out waiting"
)


def failure_of(error: BaseException) -> StageError | None:
    """The stage error for an exception of the training; None if the exception is unexpected."""
    if isinstance(error, StageError):
        return error
    if is_storage_full(error):
        return errors.storage_full(error)
    if isinstance(error, torch.OutOfMemoryError):
        return OutOfMemory(
            f"a GPU ran out of memory: {error}. Use more GPUs, a higher spec.training.deepspeed.stage, "
            "spec.training.activationCheckpointing: enabled, or a shorter spec.training.sequenceLength",
        )
    if is_peer_lost(error):
        return PeerLost(f"another rank was lost: {error}")
    return None


def is_storage_full(error: BaseException) -> bool:
    """Whether a write failed because the storage is full. torch.save raises errors without an errno."""
    if errors.is_storage_full(error) or (error.__context__ and errors.is_storage_full(error.__context__)):
        return True
    return isinstance(error, RuntimeError) and _TORCH_WRITE_FAILED.search(str(error)) is not None


def is_peer_lost(error: BaseException) -> bool:
    """Whether a collective or the rendezvous failed because of a peer. gloo raises plain RuntimeErrors."""
    if isinstance(error, distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and _PEER_GONE.search(str(error)) is not None
