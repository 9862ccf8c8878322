"""A program that fails with a secret in its error leaves it neither in its message nor in its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from blendtune_api.contract import Env, Failure, Outcome, decode_message
from blendtune_runtime.program import run_program

SECRET = "hf_abcdefghijklmnop"


def test_an_unexpected_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def program() -> Outcome:
        raise RuntimeError(f"GET https://user:{SECRET}@hub/model: 500")

    environment = {"HF_TOKEN": SECRET, Env.TERMINATION_LOG: str(tmp_path / "message")}
    assert run_program(program, environment) != 0
    failure = decode_message((tmp_path / "message").read_text())
    assert isinstance(failure, Failure)
    assert failure.message.endswith("GET https://user:[redacted]@hub/model: 500")
    printed = capsys.readouterr()
    assert "Traceback" in printed.err and "[redacted]" in printed.err
    assert SECRET not in printed.err + printed.out
