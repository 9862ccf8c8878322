"""What an exception of the training means to the one who waits for it."""

from __future__ import annotations

import re

import torch
from torch import distributed

from blendtune_api.contract import ExitCode
from blendtune_api.v1alpha1 import Reason
from blendtune_trainer import files
from blendtune_trainer.errors import TrainerError

_TORCH_WRITE_FAILED = re.compile(r"PytorchStreamWriter failed|file write failed|unexpected pos \d+ vs")
_PEER_GONE = re.compile(
    r"gloo[/\\]|[Cc]onnection (was )?(closed|reset|refused)|Broken pipe|NCCL|Socket Timeout|Timed out waiting"
)


def failure_of(error: BaseException) -> TrainerError | None:
    """The known failure behind `error`; None for one that nobody foresaw."""
    if isinstance(error, TrainerError):
        return error
    if is_storage_full(error):
        return files.storage_full_error(error)
    if isinstance(error, torch.OutOfMemoryError):
        return TrainerError(
            Reason.OUT_OF_MEMORY,
            ExitCode.DOES_NOT_FIT,
            f"a GPU ran out of memory: {error}. Use more GPUs, a higher spec.training.deepspeed.stage, "
            "spec.training.activationCheckpointing: enabled, or a shorter spec.training.sequenceLength",
        )
    if is_peer_lost(error):
        return TrainerError(Reason.STAGE_FAILED, ExitCode.PEER_LOST, f"another rank was lost: {error}")
    return None


def is_storage_full(error: BaseException) -> bool:
    """A write that found no room; torch.save says so without an errno."""
    if files.is_storage_full(error) or (error.__context__ and files.is_storage_full(error.__context__)):
        return True
    return isinstance(error, RuntimeError) and _TORCH_WRITE_FAILED.search(str(error)) is not None


def is_peer_lost(error: BaseException) -> bool:
    """A collective or rendezvous that failed because a peer did; gloo raises a bare RuntimeError."""
    if isinstance(error, distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and _PEER_GONE.search(str(error)) is not None
