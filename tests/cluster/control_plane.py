"""etcd, kube-apiserver and kube-controller-manager on loopback: a cluster without nodes, and without root."""

from __future__ import annotations

import contextlib
import json
import random
import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import gang_crds
from tests.cluster.client import Client, Refused, close_connections
from tests.e2e.binaries import downloaded, module_folder, program
from tests.e2e.daemons import Daemons
from tests.e2e.waiting import until

from blendtune_operator.names import PARENT_KINDS, Kind

ROOT = Path(__file__).parents[2]
_PORTS = (15_000, 32_000)
_CONTROLLERS = (
    "job-controller", "garbage-collector-controller", "namespace-controller", "serviceaccount-controller",
    "clusterrole-aggregation-controller",
)  # fmt: skip


@dataclass(frozen=True)
class ControlPlane:
    """Its address, and the token of its administrator."""

    server: str
    token: str
    folder: Path

    @property
    def client(self) -> Client:
        return Client(self.server, self.token)

    def kubeconfig(self, server: str | None = None, token: str | None = None) -> Path:
        """A kubeconfig for this server, or for a proxy before it."""
        path = self.folder / f"{secrets.token_hex(4)}.kubeconfig"
        cluster = {"server": server or self.server, "insecure-skip-tls-verify": True}
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": token or self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }))  # fmt: skip
        return path


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Starts it with the CRDs installed, and stops all of it in the end."""
    token, etcd, etcd_peers, port = secrets.token_hex(16), free_port(), free_port(), free_port()
    key = folder / "service-accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    plane = ControlPlane(f"https://127.0.0.1:{port}", token, folder)
    daemons = Daemons(folder / "logs")
    with ExitStack() as stack:
        stack.callback(daemons.kill)
        stack.callback(close_connections, plane.server)
        peers = f"http://127.0.0.1:{etcd_peers}"
        daemons.start("etcd", [
            binary("etcd"), "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync",
            "--listen-client-urls", f"http://127.0.0.1:{etcd}",
            "--advertise-client-urls", f"http://127.0.0.1:{etcd}", "--listen-peer-urls", peers,
            "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
        ])  # fmt: skip
        daemons.start("kube-apiserver", [
            binary("kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1", f"--secure-port={port}", f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24", "--max-requests-inflight=2000",
            "--max-mutating-requests-inflight=1000",
        ])  # fmt: skip
        until("the API server is ready", lambda: _ready(daemons, plane.client), every=0.1)
        # First the CRDs: the garbage collector looks for new kinds only every 30 s.
        install_crds(plane.client)
        daemons.start("kube-controller-manager", [
            binary("kube-controller-manager"), f"--kubeconfig={plane.kubeconfig()}", "--leader-elect=false",
            f"--controllers={','.join(_CONTROLLERS)}", f"--service-account-private-key-file={key}",
            f"--secure-port={free_port()}", f"--cert-dir={folder / 'controller-certificates'}",
            "--kube-api-qps=1000", "--kube-api-burst=2000", "--concurrent-job-syncs=20",
        ])  # fmt: skip
        yield plane


def binary(name: str) -> str:
    """Path of a program of the control plane: a downloaded one, else as it was built."""
    return downloaded(name) or program(name)


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to connections on their way out."""
    while True:
        port = random.SystemRandom().randrange(*_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def training_operator_crd() -> Path:
    module = module_folder("training-operator", "github.com/kubeflow/training-operator")
    return module / "manifests/base/crds/kubeflow.org_pytorchjobs.yaml"


def monitoring_crds() -> list[Path]:
    """CRDs of the Prometheus operator's kinds that the chart renders."""
    module = module_folder("prometheus-operator", "github.com/prometheus-operator/prometheus-operator")
    folder = module / "example/prometheus-operator-crd"
    kinds = ("servicemonitors", "podmonitors", "prometheusrules")
    return [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in kinds]


def install_crds(client: Client) -> None:
    """Installs our CRDs and those of all gangs, and waits until they are served."""
    files = [*sorted((ROOT / "crds").glob("*.yaml")), training_operator_crd()]
    texts = [file.read_text() for file in files]
    texts += [json.dumps(gang_crds.custom_resource_definition(kind)) for kind in gang_crds.KINDS]
    for text in texts:
        client.apply_text("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", text)
    kinds = (*PARENT_KINDS, Kind.PYTORCH_JOB, *gang_crds.KINDS)
    until("the CRDs are served", lambda: all(_served(client, kind.path(None)) for kind in kinds), every=0.1)


def _served(client: Client, path: str) -> bool:
    return client.find(path) is not None


def _ready(daemons: Daemons, client: Client) -> bool:
    daemons.check()
    try:
        return client.text("/readyz") == "ok"
    except (Refused, OSError):
        return False
