"""How the program of an evaluation ends: its exit code and its termination message."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.eval.conftest import Pod, workspace_folder

from blendtune_api.contract import (
    Env,
    EvalResult,
    ExitCode,
    Failure,
    GpuPreset,
    decode_message,
)
from blendtune_api.v1alpha1 import (
    EvaluatedModel,
    Reason,
    RubricEvalCluster,
    Sampling,
)
from blendtune_eval.__main__ import main
from blendtune_eval.evaluate import evaluate
from blendtune_runtime.errors import StageError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("change", "code", "reason", "words"),
    [
        pytest.param(
            {"model": EvaluatedModel(uri="file:///nowhere/at/all")},
            ExitCode.BAD_MODEL,
            Reason.BAD_CONFIGURATION,
            "spec.model.uri",
            id="no-model",
        ),
        pytest.param(
            {"sampling": Sampling(max_new_tokens=1000)},
            ExitCode.BAD_CONFIGURATION,
            Reason.BAD_CONFIGURATION,
            "maxNewTokens",
            id="longer-than-the-context",
        ),
        pytest.param(
            {"model": EvaluatedModel(uri="pvc://work/../other")},
            ExitCode.BAD_CONFIGURATION,
            Reason.BAD_CONFIGURATION,
            "may not contain ..",
            id="path-leaves-the-claim",
        ),
    ],
)
def test_known_failures(
    pod: Pod,
    change: dict[str, Any],
    code: ExitCode,
    reason: Reason,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_command(pod(**change), monkeypatch) == code
    failure = decode_message(Path(pod(**change)[Env.TERMINATION_LOG]).read_text())
    assert isinstance(failure, Failure)
    assert failure.reason is reason
    assert words in failure.message


def test_gpus_that_cuda_does_not_see_are_worth_another_attempt(pod: Pod) -> None:
    environment = pod(gpu=GpuPreset(name="a100-80gb"))
    with pytest.raises(StageError, match="promises 1 of type a100-80gb") as caught:
        evaluate(environment)
    assert caught.value.exit_code is ExitCode.TRANSIENT
    assert not workspace_folder(environment).exists()


def test_no_gpu_is_missed_where_none_is_asked_for(pod: Pod) -> None:
    environment = pod(gpu=GpuPreset(name="a100-80gb"), cluster=RubricEvalCluster(gpus=0), compared=False)
    assert evaluate(environment).coverage == 1.0


def test_a_bad_rubric_is_refused(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = pod()
    Path(environment[Env.RUBRIC]).write_text("name: x\n")
    assert run_command(environment, monkeypatch) == ExitCode.BAD_RUBRIC
    assert not workspace_folder(environment).exists()


def test_success_leaves_its_message(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = pod()
    assert run_command(environment, monkeypatch) == ExitCode.SUCCESS
    assert isinstance(decode_message(Path(environment[Env.TERMINATION_LOG]).read_text()), EvalResult)


def run_command(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return main(["evaluate"])
