"""What the blend and train programs have in common: the pinned run they read and the outcome they leave."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from blendtune_api import codec
from blendtune_api.contract import (
    Env,
    ExitCode,
    Failure,
    MessageError,
    Outcome,
    RunConfig,
    Workspace,
    decode_message,
    encode_message,
    workspace,
)
from blendtune_api.redaction import redacted, without_secrets
from blendtune_api.shared_folder import SharedFolder, shared_folder
from blendtune_api.v1alpha1 import Reason, Stage
from blendtune_trainer.errors import TrainerError, bad_configuration
from blendtune_trainer.files import is_storage_full, storage_full_error, write_text

UNFORESEEN = 1  # exit code of a failure that nobody foresaw; the operator tries again

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The pinned configuration of a run and where its files lie on this machine."""

    config: RunConfig
    claims: Path

    @property
    def workspace(self) -> Workspace:
        return workspace(self.claims, self.config.spec.storage, self.config.namespace, self.config.name)

    @property
    def shared(self) -> SharedFolder:
        return shared_folder(self.claims, self.config.spec.storage, self.config.namespace, self.config.name)


def load_run(environment: Mapping[str, str]) -> Run:
    """The run that the environment names. Raises TrainerError, with every fault, where it cannot be read."""
    try:
        path = Path(environment[Env.CONFIG])
        claims = Path(environment[Env.CLAIMS])
    except KeyError as error:
        raise bad_configuration(f"the environment variable {error.args[0]} is not set") from error
    try:
        config = codec.decode(RunConfig, json.loads(path.read_text()))
    except (OSError, ValueError) as error:
        raise bad_configuration(f"{path}: {error}") from error
    return Run(config=config, claims=claims)


def run_program(program: Callable[[], Outcome], environment: Mapping[str, str] = os.environ) -> int:
    """Runs `program`, leaves its outcome as the termination message, and returns the exit code."""
    try:
        outcome: Outcome = program()
        code = int(ExitCode.SUCCESS)
    except TrainerError as error:
        outcome, code = error.failure(), int(error.exit_code)
    except Exception as error:
        print(without_secrets(traceback.format_exc(), environment), file=sys.stderr)
        known = storage_full_error(error) if is_storage_full(error) else None
        outcome = known.failure() if known else _unforeseen(error)
        code = int(known.exit_code) if known else UNFORESEEN
    outcome = redacted(outcome, environment)
    if isinstance(outcome, Failure):
        print(f"{outcome.reason}: {outcome.message}", file=sys.stderr, flush=True)
    leave_message(outcome, environment)
    return code


def leave_message(outcome: Outcome, environment: Mapping[str, str] = os.environ) -> None:
    """Writes the termination message, where the environment names a file for it."""
    path = environment.get(Env.TERMINATION_LOG)
    if path:
        Path(path).write_text(encode_message(outcome))  # in place: the kubelet mounts the file itself


def keep_result(run: Run, stage: Stage, outcome: Outcome) -> None:
    """Writes the outcome beside the stage's artifacts, for the day its message is lost."""
    write_text(run.workspace.result(stage), encode_message(outcome))


def kept_result(run: Run, stage: Stage, kind: type[T]) -> T | None:
    """What the stage left when it finished under this very configuration; None when it has yet to."""
    try:
        outcome = decode_message(run.workspace.result(stage).read_text())
    except (OSError, MessageError):
        return None
    same = getattr(outcome, "config_digest", None) == run.config.digest
    return outcome if isinstance(outcome, kind) and same else None


def _unforeseen(error: Exception) -> Failure:
    return Failure(reason=Reason.STAGE_FAILED, message=f"unforeseen {type(error).__name__}: {error}")
