"""kubectl, as a user of the cluster would call it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.binaries import program


class KubectlError(RuntimeError):
    """kubectl said no."""


@dataclass(frozen=True)
class Kubectl:
    kubeconfig: Path
    namespace: str = "default"

    def within(self, namespace: str) -> Kubectl:
        return Kubectl(self.kubeconfig, namespace)

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        command = [program("kubectl"), "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace]
        done = subprocess.run(
            [*command, *arguments], input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, manifest: str) -> str:
        return self("apply", "-f", "-", stdin=manifest)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self("get", kind, name, "-o", "json"))
        return answer

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        answer = json.loads(self("get", kind, "-l", selector, "-o", "json"))
        return list(answer["items"])

    def raw(self, path: str) -> str:
        return self("get", "--raw", path)
