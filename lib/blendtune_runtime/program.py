"""The frame of every stage program: reads the pinned configuration and writes the termination message."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from blendtune_api import codec
from blendtune_api.contract import Env, ExitCode, Failure, Outcome, encode_message, text_digest
from blendtune_api.v1alpha1 import Reason
from blendtune_runtime.errors import BadConfiguration, StageError, is_storage_full, storage_full
from blendtune_runtime.redaction import redacted, without_secrets

UNEXPECTED = 1  # exit code of an error that is not a StageError; the operator retries

T = TypeVar("T")


def run_program(program: Callable[[], Outcome], environment: Mapping[str, str] = os.environ) -> int:
    """Runs `program`, writes its outcome as the termination message and returns the exit code."""
    try:
        outcome: Outcome = program()
        code = int(ExitCode.SUCCESS)
    except Exception as error:
        expected = error if isinstance(error, StageError) else None
        if expected is None:
            print(without_secrets(traceback.format_exc(), environment), file=sys.stderr)
            expected = storage_full(error) if is_storage_full(error) else None
        outcome = expected.failure() if expected else _unexpected(error)
        code = int(expected.exit_code) if expected else UNEXPECTED
    outcome = redacted(outcome, environment)
    if isinstance(outcome, Failure):
        print(f"{outcome.reason}: {outcome.message}", file=sys.stderr, flush=True)
    leave_message(outcome, environment)
    return code


def leave_message(outcome: Outcome, environment: Mapping[str, str] = os.environ) -> None:
    """Writes the termination message, if the environment names a file for it."""
    if path := environment.get(Env.TERMINATION_LOG):
        Path(path).write_text(encode_message(outcome))  # in place: the kubelet mounts the file itself


def load_config(kind: type[T], environment: Mapping[str, str]) -> tuple[T, Path]:
    """The configuration that the environment names, and the folder under which claims are mounted.

    Raises BadConfiguration, with every fault, if it cannot be read, or is not what the operator has pinned.
    """
    try:
        path, claims = Path(environment[Env.CONFIG]), Path(environment[Env.CLAIMS])
    except KeyError as error:
        raise BadConfiguration(f"the environment variable {error.args[0]} is not set") from error
    try:
        text = path.read_text()
        pinned = environment.get(Env.CONFIG_DIGEST)
        if pinned and text_digest(text) != pinned:
            raise BadConfiguration(
                f"{path} is not what the operator has pinned (sha256 {pinned}): somebody has replaced its "
                "ConfigMap; delete that, and raise spec.retry"
            )
        return codec.decode(kind, json.loads(text)), claims
    except (OSError, ValueError) as error:
        raise BadConfiguration(f"{path}: {error}") from error


def _unexpected(error: Exception) -> Failure:
    return Failure(reason=Reason.STAGE_FAILED, message=f"unexpected {type(error).__name__}: {error}")
