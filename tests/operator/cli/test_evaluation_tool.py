"""The evaluation's tools, called by the command `blendtune`."""

from __future__ import annotations

from pathlib import Path

import pytest

from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.main import main


def test_a_rubric_is_begun_and_linted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rubric.yaml"
    assert main(["rubric", "new", str(file)]) == ExitStatus.SUCCESS
    assert main(["rubric", "lint", str(file)]) == ExitStatus.SUCCESS
    file.write_text("name: mine\n")
    assert main(["rubric", "lint", str(file)]) == ExitStatus.BAD_INPUT
    assert "questions is missing" in capfd.readouterr().err


def test_a_folder_without_a_report_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == ExitStatus.BAD_INPUT
    assert f"{tmp_path} holds no report.json" in capfd.readouterr().err
