"""What the commands have in common: the pinned configuration they read and the outcome they leave."""

from __future__ import annotations

import errno
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from blendtune_api import codec
from blendtune_api.contract import Env, ExitCode, Failure, Outcome, encode_message
from blendtune_api.redaction import redacted, without_secrets
from blendtune_api.v1alpha1 import Reason, RubricReference
from blendtune_eval.failures import EvaluationError, bad_configuration, bad_rubric, storage_full
from blendtune_eval.rubric import Rubric
from blendtune_eval.rubrics.entries import InvalidRubric
from blendtune_eval.rubrics.loader import load_builtin, load_file

UNFORESEEN = 1  # exit code of a failure that nobody foresaw; the operator tries again
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

T = TypeVar("T")


def run_program(program: Callable[[], Outcome], environment: Mapping[str, str] = os.environ) -> int:
    """Runs `program`, leaves its outcome as the termination message, and returns the exit code."""
    outcome: Outcome
    code = int(ExitCode.SUCCESS)
    try:
        outcome = program()
    except EvaluationError as error:
        outcome, code = error.failure(), int(error.exit_code)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            print(without_secrets(traceback.format_exc(), environment), file=sys.stderr)
            outcome, code = _unforeseen(error), UNFORESEEN
        else:
            full = storage_full(
                f"the workspace has no room left: {error}. Free space on its claim, then retry"
            )
            outcome, code = full.failure(), int(full.exit_code)
    except Exception as error:
        print(without_secrets(traceback.format_exc(), environment), file=sys.stderr)
        outcome, code = _unforeseen(error), UNFORESEEN
    outcome = redacted(outcome, environment)
    if isinstance(outcome, Failure):
        print(f"{outcome.reason}: {outcome.message}", file=sys.stderr, flush=True)
    if path := environment.get(Env.TERMINATION_LOG):
        Path(path).write_text(encode_message(outcome))  # in place: the kubelet mounts the file itself
    return code


def run_tool(tool: Callable[[], None]) -> int:
    """Runs what a person calls outside of any run, and returns the exit code."""
    try:
        tool()
    except EvaluationError as error:
        print(error, file=sys.stderr, flush=True)
        return int(error.exit_code)
    return int(ExitCode.SUCCESS)


def load_config(kind: type[T], environment: Mapping[str, str]) -> tuple[T, Path]:
    """The configuration that the environment names, and the folder of claims. Raises EvaluationError."""
    try:
        path, claims = Path(environment[Env.CONFIG]), Path(environment[Env.CLAIMS])
    except KeyError as error:
        raise bad_configuration(f"the environment variable {error.args[0]} is not set") from error
    try:
        return codec.decode(kind, json.loads(path.read_text())), claims
    except (OSError, ValueError) as error:
        raise bad_configuration(f"{path}: {error}") from error


def load_rubric(reference: RubricReference, environment: Mapping[str, str]) -> Rubric:
    """The user's rubric where the environment names its file, else a built-in one. Raises EvaluationError."""
    try:
        if path := environment.get(Env.RUBRIC):
            return load_file(Path(path))
        if reference.builtin is not None:
            return load_builtin(reference.builtin)
    except InvalidRubric as error:
        raise bad_rubric(str(error)) from error
    selector = reference.config_map_ref
    named = f"ConfigMap {selector.name}, key {selector.key}" if selector else "nothing"
    raise bad_configuration(f"the rubric is in {named}, but {Env.RUBRIC} names no file: mount it there")


def _unforeseen(error: Exception) -> Failure:
    return Failure(reason=Reason.STAGE_FAILED, message=f"unforeseen {type(error).__name__}: {error}")
