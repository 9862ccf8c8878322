"""What the commands read from pods: logs of all ranks, the report, a model, by somebody with `edit` alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.e2e.images import EVAL
from tests.e2e.namespaces import Namespace, long_run, small_run
from tests.e2e.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

READER = "app.kubernetes.io/component=reader"


def kubeconfig(namespace: Namespace, folder: Path, role: str) -> Path:
    """Of a service account that has this role in the namespace alone."""
    kubectl = namespace.kubectl
    kubectl("create", "serviceaccount", role)
    account = f"--serviceaccount={namespace.name}:{role}"
    kubectl("create", "rolebinding", role, f"--clusterrole={role}", account)
    document = json.loads(kubectl(
        "config", "view", "--raw", "--flatten", "--minify", "--output=json"
    ))  # fmt: skip
    document["users"] = [
        {"name": role, "user": {"token": kubectl("create", "token", role, "--duration=1h").strip()}}
    ]
    document["contexts"][0]["context"] |= {"user": role, "namespace": namespace.name}
    path = folder / f"{role}.kubeconfig"
    path.write_text(json.dumps(document))
    return path


def begin(config: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "blendtune_operator.cli", *words],
        env={**os.environ, "KUBECONFIG": str(config), "BROWSER": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def types(config: Path, *words: str, codes: Sequence[int] = (0,)) -> str:
    process = begin(config, *words)
    printed, _ = process.communicate(timeout=600)
    assert process.returncode in codes, printed
    return printed


def no_reader(namespace: Namespace) -> bool:
    return not namespace.kubectl("get", "pods", f"--selector={READER}", "--output=name").strip()


def test_a_run_is_read_by_somebody_who_may_edit(namespace: Namespace, tmp_path: Path) -> None:
    editor, viewer = (kubeconfig(namespace, tmp_path, role) for role in ("edit", "view"))
    following = None
    manifest = tmp_path / "run.json"
    manifest.write_text(json.dumps(small_run()))
    types(editor, "submit", "--no-follow", "-f", str(manifest))
    following = begin(viewer, "logs", "small", "--follow")
    assert "small  Succeeded" in types(viewer, "wait", "small", codes=(0, 1, 3))
    followed, _ = following.communicate(timeout=120)
    for prefix in ("train 1 rank 0 | ", "train 1 rank 1 | ", "eval 1 | "):
        assert prefix in followed
    assert {
        line.split(" | ")[0] for line in types(viewer, "logs", "small", "--stage", "train").splitlines()
    } == {"train 1 rank 0", "train 1 rank 1"}

    page = tmp_path / "report.html"
    types(editor, "report", "small", "-o", str(page))
    folder = namespace.folder("small")
    assert page.read_bytes() == (folder / "eval/report.html").read_bytes()
    types(editor, "cp", "small:model", str(tmp_path / "model"))
    copied = {file.name: file.stat().st_size for file in (tmp_path / "model").iterdir()}
    assert copied == {file.name: file.stat().st_size for file in (folder / "model").iterdir()}
    side_by_side = tmp_path / "compared.html"
    compared = types(editor, "compare", "small", "rubriceval/small", "-o", str(side_by_side))
    overall = namespace.run("small")["status"]["evaluation"]["overall"]["score"]
    assert compared.count(f"{overall:.3f}") >= 2, compared
    assert "<html" in side_by_side.read_text()
    missing = types(editor, "cp", "small:adapter", str(tmp_path / "adapter"), codes=(2,))
    assert "adapter is not in the claim; in the run's workspace there is" in missing
    assert "may not create pods" in types(viewer, "report", "small", codes=(2,))
    until("no reader is left", lambda: no_reader(namespace), 60)


def test_a_reader_goes_with_its_command(namespace: Namespace, tmp_path: Path) -> None:
    editor = kubeconfig(namespace, tmp_path, "edit")
    namespace.apply(long_run())
    until("it trains", lambda: namespace.run("small").get("status", {}).get("state") == "Training", 300)
    process = begin(editor, "cp", "small:train", str(tmp_path / "train"), "--image", EVAL)
    until("there is a reader", lambda: not no_reader(namespace), 120, every=0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    until("no reader is left", lambda: no_reader(namespace), 60)
    assert not (tmp_path / "train").exists()
