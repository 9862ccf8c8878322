"""The reason and exit code of every stage error, which the operator decides by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blendtune_api.contract import ExitCode, Failure
from blendtune_api.v1alpha1 import Reason
from blendtune_runtime import errors
from blendtune_runtime.errors import StageError

ERRORS: dict[type[StageError], tuple[ExitCode, Reason]] = {
    errors.BadConfiguration: (ExitCode.BAD_CONFIGURATION, Reason.BAD_CONFIGURATION),
    errors.OtherCheckpoint: (ExitCode.OTHER_CHECKPOINT, Reason.BAD_CONFIGURATION),
    errors.Diverged: (ExitCode.BAD_CONFIGURATION, Reason.STAGE_FAILED),
    errors.BadData: (ExitCode.BAD_DATA, Reason.BAD_DATA),
    errors.BadModel: (ExitCode.BAD_MODEL, Reason.BAD_CONFIGURATION),
    errors.BadRubric: (ExitCode.BAD_RUBRIC, Reason.BAD_RUBRIC),
    errors.DoesNotFit: (ExitCode.DOES_NOT_FIT, Reason.DOES_NOT_FIT),
    errors.OutOfMemory: (ExitCode.DOES_NOT_FIT, Reason.OUT_OF_MEMORY),
    errors.WorkspaceInUse: (ExitCode.WORKSPACE_IN_USE, Reason.WORKSPACE_IN_USE),
    errors.StorageFull: (ExitCode.STORAGE_FULL, Reason.STAGE_FAILED),
    errors.Transient: (ExitCode.TRANSIENT, Reason.STAGE_FAILED),
    errors.PeerLost: (ExitCode.PEER_LOST, Reason.STAGE_FAILED),
    errors.Preempted: (ExitCode.PREEMPTED, Reason.DISRUPTED),
}


def below(kind: type[StageError]) -> Iterator[type[StageError]]:
    for each in kind.__subclasses__():
        yield each
        yield from below(each)


def test_every_error_is_listed() -> None:
    assert set(ERRORS) == {kind for kind in below(StageError) if kind.__module__ == errors.__name__}


@pytest.mark.parametrize("kind", ERRORS)
def test_reason_and_exit_code(kind: type[StageError]) -> None:
    code, reason = ERRORS[kind]
    assert kind.exit_code is code
    assert kind("why").failure() == Failure(reason=reason, message="why")
