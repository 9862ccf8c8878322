"""What the README shows works as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from blendtune_api import codec
from blendtune_operator.cli.main import main
from blendtune_operator.plan.supported import refusals
from blendtune_operator.settings import Settings

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_manifest_is_accepted_by_a_cluster() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    (run,) = [codec.decode_object(yaml.safe_load(block)) for block in blocks]
    assert refusals(run, Settings()) == ()


@pytest.mark.parametrize(
    "command", ["validate", "estimate", "render", "run", "study", "report", "compare", "rubric", "crds"]
)
def test_each_command_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"`blendtune {command}" in README.read_text()
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("target", ["demo", "test"])
def test_each_make_target_exists(target: str) -> None:
    assert f"make {target}" in README.read_text()
    assert re.search(rf"^{target}:", (README.parent / "Makefile").read_text(), re.MULTILINE)
