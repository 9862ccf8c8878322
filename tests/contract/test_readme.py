"""What the README shows works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from blendtune_api import codec
from blendtune_operator.cli.parser import commands
from blendtune_operator.plan.supported import refusals
from blendtune_operator.settings import Settings

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_manifest_is_accepted_by_a_cluster() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    (run,) = [codec.decode_object(yaml.safe_load(block)) for block in blocks]
    assert refusals(run, Settings()) == ()


@pytest.mark.parametrize("command", commands())
def test_each_command_is_there(command: str) -> None:
    assert re.search(rf"`(blendtune )?{command}[` ]", README.read_text())
    assert command in commands()[command].format_help()


def test_each_command_that_is_there_exists() -> None:
    assert set(re.findall(r"`blendtune ([a-z]+)[` ]", README.read_text())) <= set(commands())


@pytest.mark.parametrize("target", ["demo", "test"])
def test_each_make_target_exists(target: str) -> None:
    assert f"make {target}" in README.read_text()
    assert re.search(rf"^{target}:", (README.parent / "Makefile").read_text(), re.MULTILINE)
