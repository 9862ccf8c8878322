"""docs/first-run.md as a newcomer walks it: every command as it stands there, on a model of two layers."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs_commands import ROOT, Command, commands
from tests.e2e.binaries import program
from tests.e2e.cluster import Cluster
from tests.e2e.images import EVAL, OPERATOR
from tests.e2e.kubectl import KubectlError
from tests.e2e.namespaces import USER, Namespace, small_run
from tests.e2e.waiting import until
from tests.run.conftest import RUBRIC, write_rows
from tests.tiny_model import CHATML, build_tokenizer, write_tiny_model

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PAGE = "docs/first-run.md"
EXAMPLES = Path("examples/first-run")
NAMESPACE, RUN = "team", "first-run"
CLAIMS = ("datasets", "blendtune")
PORT = 8000
KINDS = ("bft", "rubric", "pvc", "pods", "deployments")

# In the place of vLLM, which needs a GPU.
SERVER = """
import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from transformers import pipeline

chat = pipeline("text-generation", "/model")

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        messages = chat(asked["messages"], max_new_tokens=4)[0]["generated_text"]
        self.answer({"model": asked["model"], "choices": [{"message": messages[-1]}]})

    def answer(self, body):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

HTTPServer(("", 8000), Handler).serve_forever()
"""


@dataclass
class Newcomer:
    """Types commands in a folder of their own, with a kubeconfig of their own."""

    folder: Path
    cluster: Cluster
    volumes: Path

    def environment(self) -> dict[str, str]:
        paths = (str(Path(program("kubectl")).parent), str(Path(sys.executable).parent), os.environ["PATH"])
        return {
            **os.environ,
            "BROWSER": "true",  # a program that does nothing, and takes an address
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "PATH": ":".join(paths),
        }

    def types(self, *words: str, codes: Sequence[int] = (0,)) -> str:
        """What the command has printed, to either place."""
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode in codes, f"{words}: {done.stdout}"
        return done.stdout

    @contextmanager
    def typed_in_the_background(self, *words: str) -> Iterator[None]:
        process = subprocess.Popen(words, cwd=self.folder, env=self.environment(), stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)

    def namespace(self) -> Namespace:
        return Namespace(self.cluster, self.cluster.kubectl.within(NAMESPACE), self.volumes / "blendtune")


@pytest.fixture
def newcomer(cluster: Cluster, tmp_path: Path) -> Iterator[Newcomer]:
    volumes = cluster.folder / "volumes" / NAMESPACE
    for claim in CLAIMS:
        (volumes / claim).mkdir(parents=True)
        cluster.kubectl.apply(json.dumps(_volume(claim, volumes / claim)))
    write_tiny_model(volumes / "datasets/model", build_tokenizer(CHATML))
    for path in volumes.rglob("*"):
        os.chown(path, USER, USER)
    shutil.copy(cluster.credentials.kubeconfig("admin"), tmp_path / "kubeconfig")
    (tmp_path / EXAMPLES).mkdir(parents=True)
    for name, change in CHANGES.items():
        objects = [change(object) for object in yaml.safe_load_all((ROOT / EXAMPLES / name).read_text())]
        (tmp_path / EXAMPLES / name).write_text(yaml.safe_dump_all(objects))
    with (tmp_path / EXAMPLES / "run.yaml").open("a") as file:  # the rubric is applied with the run
        rubric = {**yaml.safe_load(RUBRIC), "metadata": {"name": "house-rules"}}
        yaml.safe_dump(rubric, file, explicit_start=True)
    (tmp_path / "rows").mkdir()
    write_rows(tmp_path / "rows/ads.jsonl", ["price", "stock", "till"], 60, seed=1)
    write_rows(tmp_path / "rows/general.jsonl", ["sea", "moon", "tree", "road"], 80, seed=2)
    yield Newcomer(tmp_path, cluster, volumes)
    with suppress(KubectlError):  # it was not made
        cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=180s")
    cluster.kubectl("delete", "pv", *CLAIMS, "--timeout=60s")
    shutil.rmtree(volumes)


def test_every_step(newcomer: Newcomer) -> None:
    namespace = newcomer.namespace()
    kubectl = namespace.cluster.kubectl
    kubectl("create", "namespace", NAMESPACE)
    kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    newcomer.types("kubectl", "config", "set-context", "--current", "--namespace", NAMESPACE)
    for command in (each for each in commands() if each.page == PAGE):
        match command.words:
            case ("pipx" | "helm", *_):
                continue  # tests/contract/test_wheel.py, and the cluster's own release
            case ("blendtune", "validate" | "estimate", *_):
                continue  # tests/contract/test_docs_commands.py: these need no cluster
            case (*words, "&"):
                with newcomer.typed_in_the_background(*words):
                    until("the port is forwarded", _listens(PORT))
                    printed = newcomer.types(*_curl().words)  # its progress, and the answer
                    (choice,) = json.loads(printed[printed.index("{") : printed.rindex("}") + 1])["choices"]
                    assert choice["message"]["role"] == "assistant"
            case ("curl", *_):
                continue  # while its port was forwarded
            case ("kubectl", "cp", *words):
                newcomer.types("kubectl", "wait", "--for=condition=Ready", "pod/files", "--timeout=5m")
                newcomer.types("kubectl", "cp", *words)
            case ("blendtune", "submit", *_):
                told = newcomer.types(*command.words, codes=(0, 1, 3))  # as the gates say
                assert "first-run  Succeeded" in told
                assert namespace.run(RUN)["status"]["evaluation"]["overall"]["n"] == 2
            case ("blendtune", "report", *_):
                page = newcomer.types(*command.words).split()[-1]
                assert "<html" in Path(page).read_text()
            case words:
                newcomer.types(*words)
    until("nothing is left", lambda: not any(namespace.kubectl.list(kind) for kind in KINDS))
    assert not namespace.folder(RUN).exists()


def _curl() -> Command:
    (command,) = (each for each in commands("curl") if each.page == PAGE)
    return command


def _listens(port: int) -> Callable[[], bool]:
    def holds() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    return holds


def _volume(claim: str, path: Path) -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteMany"],
        "capacity": {"storage": "1Gi"},
        "claimRef": {"namespace": NAMESPACE, "name": claim},
        "hostPath": {"path": str(path), "type": "Directory"},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": claim}, "spec": spec}


def _small_claim_or_pod(object: dict[str, Any]) -> dict[str, Any]:
    if object["kind"] == "Pod":
        (container,) = object["spec"]["containers"]
        container["image"] = OPERATOR  # it has tar
        return object
    size = {"requests": {"storage": "1Gi"}}
    object["spec"] |= {
        "resources": size, "storageClassName": "", "volumeName": object["metadata"]["name"],
    }  # fmt: skip
    return object


def _run_without_gpus(object: dict[str, Any]) -> dict[str, Any]:
    spec, small = object["spec"], small_run()["spec"]
    spec |= {
        "model": {"uri": "pvc://datasets/model"}, "training": small["training"], "cluster": small["cluster"],
    }  # fmt: skip
    rubric = {"configMapRef": {"name": "house-rules", "key": "rubric.yaml"}}
    spec["evaluation"] |= {**small["evaluation"], "rubric": rubric}
    return object


def _server_without_gpu(object: dict[str, Any]) -> dict[str, Any]:
    (container,) = object["spec"]["template"]["spec"]["containers"]
    del container["resources"]
    container |= {"image": EVAL, "command": ["python", "-c", SERVER]}
    return object


CHANGES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "claims.yaml": _small_claim_or_pod,
    "run.yaml": _run_without_gpus,
    "serve.yaml": _server_without_gpu,
}
