"""The exit codes of exceptions in a training."""

from __future__ import annotations

import errno

import pytest
import torch
from torch import distributed

from blendtune_api.contract import ExitCode
from blendtune_runtime.errors import BadData
from blendtune_trainer.ranks.failures import failure_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(BadData("row 3"), ExitCode.BAD_DATA, id="known already"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), ExitCode.STORAGE_FULL, id="disk full"),
        pytest.param(OSError(errno.EDQUOT, "quota"), ExitCode.STORAGE_FULL, id="quota"),
        pytest.param(
            RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
            ExitCode.STORAGE_FULL,
            id="torch.save",
        ),
        pytest.param(
            RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer"),
            ExitCode.PEER_LOST,
            id="gloo",
        ),
        pytest.param(distributed.DistBackendError("NCCL error"), ExitCode.PEER_LOST, id="nccl"),
        pytest.param(distributed.DistStoreError("timeout"), ExitCode.PEER_LOST, id="no rendezvous"),
        pytest.param(torch.OutOfMemoryError("CUDA out of memory"), ExitCode.DOES_NOT_FIT, id="GPU memory"),
        pytest.param(RuntimeError("shape mismatch"), None, id="unexpected"),
        pytest.param(FileNotFoundError(errno.ENOENT, "gone"), None, id="another OSError"),
    ],
)
def test_exit_code(error: Exception, code: ExitCode | None) -> None:
    failure = failure_of(error)
    assert (failure.exit_code if failure else None) == code
