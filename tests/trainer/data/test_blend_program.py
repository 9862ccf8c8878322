"""The blend program: how it reads its configuration and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from blendtune_api import codec
from blendtune_api.contract import BlendResult, Env, ExitCode, Failure, decode_message
from blendtune_api.v1alpha1 import Reason
from blendtune_runtime.errors import BadConfiguration
from blendtune_runtime.program import run_program
from blendtune_trainer.prepare import prepare
from blendtune_trainer.stage import Run, load_run


@pytest.fixture
def environment(make_run: Callable[..., Run], tmp_path: Path) -> dict[str, str]:
    run = make_run()
    (tmp_path / "config.json").write_text(json.dumps(codec.encode(run.config)))
    return {
        Env.CONFIG: str(tmp_path / "config.json"),
        Env.CLAIMS: str(run.claims),
        Env.TERMINATION_LOG: str(tmp_path / "message"),
    }


def test_the_program_leaves_its_outcome_as_termination_message(
    environment: dict[str, str], tmp_path: Path
) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "blendtune_trainer", "blend"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert isinstance(decode_message((tmp_path / "message").read_text()), BlendResult)
    assert "ads: 40 rows, 4,430 tokens, 0 dropped for length, 0 bad, 4 held out" in process.stdout


def test_a_known_failure_is_left_as_termination_message_too(
    environment: dict[str, str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "ads.jsonl").write_text("oops\n")
    assert run_program(lambda: prepare(load_run(environment)), environment) == ExitCode.BAD_DATA
    failure = decode_message((tmp_path / "message").read_text())
    assert isinstance(failure, Failure) and failure.reason is Reason.BAD_DATA
    assert failure.message.startswith("ads.jsonl:1: not valid JSON")
    assert failure.message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        pytest.param("{", ["config.json: "], id="not JSON"),
        pytest.param('{"uid": "u"}', ["namespace: is required", "spec: is required"], id="not a run"),
        pytest.param(
            '{"spec": {"model": {"uri": "hf://a/b", "chatTemplate": "alpaca"}}}',
            ["spec.model.chatTemplate: must be vicuna, llama-2, chatml or llama-3, not 'alpaca'"],
            id="unknown template",
        ),
    ],
)
def test_a_configuration_that_cannot_be_read(
    environment: dict[str, str], tmp_path: Path, content: str, parts: list[str]
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BadConfiguration) as raised:
        load_run(environment)
    for part in parts:
        assert part in raised.value.message
