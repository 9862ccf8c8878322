"""`bench/nodes.py` plays nodes on this machine, and what their interfaces send is what sizing says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.layout import ROOT

pytestmark = pytest.mark.e2e


def test_played_nodes_send_what_sizing_predicts(tmp_path: Path) -> None:
    before = _links()
    output = tmp_path / "nodes.json"
    command = [
        sys.executable,
        "bench/nodes.py",
        "--steps",
        "1",
        "--stages",
        "1",
        "3",
        "--output",
        str(output),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, third, hpz = json.loads(output.read_text())["results"]
    for result in (first, third, hpz):
        assert result["sentBytes"] == pytest.approx(result["predictedBytes"], rel=0.03)
        assert result["betweenNodes"] == pytest.approx(result["predictedBetweenNodes"], rel=0.03)
    assert hpz["betweenNodes"] < third["betweenNodes"]
    assert _links() == before  # nothing is left


def _links() -> str:
    names = subprocess.check_output(["ip", "-json", "link", "show"], text=True)
    spaces = subprocess.check_output(["ip", "-json", "netns", "list"], text=True)
    return json.dumps([[link["ifname"] for link in json.loads(names)], spaces])
