"""A program runs with the configuration that was pinned, and leaves no secret in its message or its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from blendtune_api.contract import Env, Failure, GpuPreset, Outcome, decode_message, text_digest
from blendtune_runtime.errors import BadConfiguration
from blendtune_runtime.program import load_config, run_program

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


TEXT = '{"name": "cpu"}'


def config_environment(folder: Path, text: str, digest: str | None) -> dict[str, str]:
    path = folder / "config.json"
    path.write_text(text)
    pinned = {} if digest is None else {Env.CONFIG_DIGEST.value: digest}
    return {Env.CONFIG: str(path), Env.CLAIMS: str(folder), **pinned}


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        pytest.param(TEXT, text_digest(TEXT), id="as it was pinned"),
        pytest.param(TEXT, None, id="by hand, without a digest"),
    ],
)
def test_a_configuration_is_read(tmp_path: Path, text: str, digest: str | None) -> None:
    config, _ = load_config(GpuPreset, config_environment(tmp_path, text, digest))
    assert config == GpuPreset(name="cpu")


@pytest.mark.parametrize(
    "text", ['{"name": "gpu"}', TEXT + " ", ""], ids=["another", "a space more", "empty"]
)
def test_a_configuration_that_was_replaced_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadConfiguration, match="somebody has replaced its ConfigMap"):
        load_config(GpuPreset, config_environment(tmp_path, text, text_digest(TEXT)))
