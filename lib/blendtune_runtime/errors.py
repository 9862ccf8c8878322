"""The errors that end a stage, each with the reason and the exit code that the operator reads.

    StageError
    ├── BadConfiguration   the pinned configuration, or the environment that names it
    │   └── OtherCheckpoint   the workspace holds a checkpoint of another configuration
    ├── Diverged           the loss or its gradient is not a number
    ├── BadData            rows that cannot be learnt from
    ├── BadModel           no model, or one that cannot be trained or evaluated
    ├── BadRubric          questions that cannot be asked or scored
    ├── DoesNotFit         more memory is needed than the GPUs or the pod have, by the estimate
    │   └── OutOfMemory    the same, found while running
    ├── WorkspaceInUse     another run owns the workspace
    ├── StorageFull        no space is left on the claim
    ├── Transient          may not happen in another attempt, such as a store that does not answer
    ├── PeerLost           another rank of the training ended or cannot be reached
    └── Preempted          the pod was told to stop

All up to StorageFull are permanent: another attempt with the same input would end in the same way. The
exit codes are in `blendtune_api.contract.ExitCode`.
"""

from __future__ import annotations

import errno
from typing import ClassVar

from blendtune_api.contract import ExitCode, Failure
from blendtune_api.v1alpha1 import Reason

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class StageError(Exception):
    """An expected error. The message tells the user what was wrong, where, and what to do."""

    reason: ClassVar[Reason] = Reason.STAGE_FAILED
    exit_code: ClassVar[ExitCode]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def failure(self) -> Failure:
        """The error as an outcome of the stage."""
        return Failure(reason=self.reason, message=self.message)


class BadConfiguration(StageError):
    reason = Reason.BAD_CONFIGURATION
    exit_code = ExitCode.BAD_CONFIGURATION


class OtherCheckpoint(BadConfiguration):
    exit_code = ExitCode.OTHER_CHECKPOINT


class Diverged(StageError):
    exit_code = ExitCode.BAD_CONFIGURATION


class BadData(StageError):
    reason = Reason.BAD_DATA
    exit_code = ExitCode.BAD_DATA


class BadModel(StageError):
    reason = Reason.BAD_CONFIGURATION
    exit_code = ExitCode.BAD_MODEL


class BadRubric(StageError):
    reason = Reason.BAD_RUBRIC
    exit_code = ExitCode.BAD_RUBRIC


class DoesNotFit(StageError):
    reason = Reason.DOES_NOT_FIT
    exit_code = ExitCode.DOES_NOT_FIT


class OutOfMemory(DoesNotFit):
    reason = Reason.OUT_OF_MEMORY


class WorkspaceInUse(StageError):
    reason = Reason.WORKSPACE_IN_USE
    exit_code = ExitCode.WORKSPACE_IN_USE


class StorageFull(StageError):
    exit_code = ExitCode.STORAGE_FULL


class Transient(StageError):
    exit_code = ExitCode.TRANSIENT


class PeerLost(StageError):
    exit_code = ExitCode.PEER_LOST


class Preempted(StageError):
    reason = Reason.DISRUPTED
    exit_code = ExitCode.PREEMPTED


def is_storage_full(error: BaseException) -> bool:
    """Whether a write failed because no space was left."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def storage_full(error: BaseException) -> StorageFull:
    """The stage error for a write that failed because no space was left."""
    return StorageFull(f"the workspace has no room left: {error}. Free space on its claim, then retry")
