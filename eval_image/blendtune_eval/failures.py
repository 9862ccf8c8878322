"""The one exception by which a command ends with a reason that its user can act upon."""

from __future__ import annotations

from blendtune_api.contract import ExitCode, Failure
from blendtune_api.v1alpha1 import Reason


class EvaluationError(Exception):
    """A known failure. The message says what was wrong, where, and what to do."""

    def __init__(self, exit_code: ExitCode, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.reason = reason
        self.message = message

    def failure(self) -> Failure:
        return Failure(reason=self.reason, message=self.message)


def bad_configuration(message: str) -> EvaluationError:
    return EvaluationError(ExitCode.BAD_CONFIGURATION, Reason.BAD_CONFIGURATION, message)


def bad_model(message: str) -> EvaluationError:
    return EvaluationError(ExitCode.BAD_MODEL, Reason.BAD_CONFIGURATION, message)


def bad_rubric(message: str) -> EvaluationError:
    return EvaluationError(ExitCode.BAD_RUBRIC, Reason.BAD_RUBRIC, message)


def does_not_fit(message: str) -> EvaluationError:
    return EvaluationError(ExitCode.DOES_NOT_FIT, Reason.DOES_NOT_FIT, message)


def storage_full(message: str) -> EvaluationError:
    return EvaluationError(ExitCode.STORAGE_FULL, Reason.STAGE_FAILED, message)


def transient(message: str) -> EvaluationError:
    """A failure that another attempt may not meet: a store that does not answer, say."""
    return EvaluationError(ExitCode.TRANSIENT, Reason.STAGE_FAILED, message)
