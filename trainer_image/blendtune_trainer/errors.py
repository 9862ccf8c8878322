"""The failures that end a trainer program, each with the reason and the exit code that the operator reads."""

from __future__ import annotations

from blendtune_api.contract import ExitCode, Failure
from blendtune_api.v1alpha1 import Reason


class TrainerError(Exception):
    """A known failure. The message tells the user what was wrong, where, and what to do."""

    def __init__(self, reason: Reason, exit_code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.exit_code = exit_code
        self.message = message

    def failure(self) -> Failure:
        return Failure(reason=self.reason, message=self.message)


def bad_configuration(message: str) -> TrainerError:
    return TrainerError(Reason.BAD_CONFIGURATION, ExitCode.BAD_CONFIGURATION, message)


def bad_data(message: str) -> TrainerError:
    return TrainerError(Reason.BAD_DATA, ExitCode.BAD_DATA, message)


def bad_model(message: str) -> TrainerError:
    return TrainerError(Reason.BAD_CONFIGURATION, ExitCode.BAD_MODEL, message)


def bad_rubric(message: str) -> TrainerError:
    return TrainerError(Reason.BAD_RUBRIC, ExitCode.BAD_RUBRIC, message)


def does_not_fit(message: str) -> TrainerError:
    return TrainerError(Reason.DOES_NOT_FIT, ExitCode.DOES_NOT_FIT, message)


def workspace_in_use(message: str) -> TrainerError:
    return TrainerError(Reason.WORKSPACE_IN_USE, ExitCode.WORKSPACE_IN_USE, message)


def storage_full(message: str) -> TrainerError:
    return TrainerError(Reason.STAGE_FAILED, ExitCode.STORAGE_FULL, message)


def transient(message: str) -> TrainerError:
    """A failure that another attempt may not meet: a store that does not answer, say."""
    return TrainerError(Reason.STAGE_FAILED, ExitCode.TRANSIENT, message)
