"""A namespace that enforces Pod Security "restricted", with a small model and its data on a volume."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.e2e.cluster import Cluster
from tests.e2e.kubectl import Kubectl
from tests.e2e.layout import MANIFESTS, RESULTS
from tests.run.conftest import RUBRIC, write_rows
from tests.tiny_model import CHATML, build_tokenizer, write_tiny_model

CLAIM = "workspace"
USER = 65532  # of the pods
KINDS = "bft,rubric,pytorchjob,jobs,pods"
ENDS = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Namespace:
    cluster: Cluster
    kubectl: Kubectl
    volume: Path

    @property
    def name(self) -> str:
        return self.kubectl.namespace

    def folder(self, run: str) -> Path:
        """The workspace of a run, by its path on this machine."""
        return self.volume / self.name / run

    def apply(self, run: dict[str, Any]) -> None:
        """Applies a run as Argo CD does."""
        options = ("--server-side", "--field-manager=argocd-controller")
        self.kubectl("apply", *options, "--filename=-", stdin=json.dumps(run))

    def run(self, name: str) -> dict[str, Any]:
        return self.kubectl.get("bft", name)

    def record(self, stage: str, kinds: str = KINDS) -> None:
        """Appends what `kubectl get` prints to the namespace's file of results."""
        table = self.kubectl("get", kinds)
        with (RESULTS / f"{self.name}.txt").open("a") as file:
            file.write(f"# {stage}\n$ kubectl get {kinds}\n{table}\n")

    def follow(self, name: str, seconds: float = 600, kinds: str = KINDS) -> dict[str, Any]:
        """Records every state that the run goes through, and returns the run at its end."""
        seen, end = "", time.monotonic() + seconds
        while time.monotonic() < end:
            self.cluster.daemons.check()
            run = self.run(name)
            state = run.get("status", {}).get("state", "")
            if state != seen:
                self.record(state, kinds)
                seen = state
            if state in ENDS:
                return run
            time.sleep(0.5)
        raise TimeoutError(f"run {name} is still {seen!r} after {seconds:.0f} s")


def create(cluster: Cluster, name: str) -> Namespace:
    """Creates the namespace, and its volume with a model and data."""
    volume = cluster.folder / "volumes" / name
    volume.mkdir(parents=True)
    write_tiny_model(volume / "model", build_tokenizer(CHATML))
    write_rows(volume / "shop.jsonl", ["price", "stock", "till"], 60, seed=1)
    write_rows(volume / "world.jsonl", ["sea", "moon", "tree", "road"], 80, seed=2)
    for path in (volume, *volume.rglob("*")):
        os.chown(path, USER, USER)
    (RESULTS / f"{name}.txt").unlink(missing_ok=True)
    kubectl = cluster.kubectl.within(name)
    kubectl.apply(json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects(name, volume)}))
    kubectl.apply(RUBRIC)
    return Namespace(cluster, kubectl, volume)


def delete(namespace: Namespace) -> None:
    """Deletes the namespace with all in it, and its volume."""
    namespace.kubectl("delete", "namespace", namespace.name, "--timeout=180s")
    namespace.kubectl("delete", "pv", namespace.name, "--timeout=60s")
    shutil.rmtree(namespace.volume)


def small_run() -> dict[str, Any]:
    """manifests/run.yaml, to be changed at will. `3e-5` is a number, as kubectl reads it."""
    run: dict[str, Any] = yaml.safe_load((MANIFESTS / "run.yaml").read_text())
    run["spec"]["training"]["learningRate"] = float(run["spec"]["training"]["learningRate"])
    return run


def long_run() -> dict[str, Any]:
    """A small run that saves checkpoints, and lasts while something is done to it."""
    run = small_run()
    run["spec"]["blend"]["budget"]["epochs"] = 12
    run["spec"]["training"]["checkpoint"] = {"everyMinutes": 0.02}
    return run


def _objects(name: str, volume: Path) -> list[dict[str, Any]]:
    storage = {"accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeName": name}
    size = {"storage": "1Gi"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "capacity": size,
                "hostPath": {"path": str(volume), "type": "Directory"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": CLAIM, "namespace": name},
            "spec": {**storage, "resources": {"requests": size}},
        },
    ]
