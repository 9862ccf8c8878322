"""etcd, API server, controller manager and scheduler."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.binaries import program
from tests.e2e.credentials import Credentials
from tests.e2e.daemons import Daemons
from tests.e2e.kubectl import Kubectl, KubectlError
from tests.e2e.network import ADDRESS, SERVICES
from tests.e2e.waiting import until

PORT = 6443
SERVER = f"https://{ADDRESS}:{PORT}"
_ETCD = "http://127.0.0.1:2379"
_ETCD_PEERS = "http://127.0.0.1:2380"


def start(daemons: Daemons, folder: Path, credentials: Credentials) -> Kubectl:
    """Starts them all, and returns when the API server is ready."""
    daemons.start("etcd", [
        program("etcd"), "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync",
        "--listen-client-urls", _ETCD, "--advertise-client-urls", _ETCD,
        "--listen-peer-urls", _ETCD_PEERS, "--initial-advertise-peer-urls", _ETCD_PEERS,
        "--initial-cluster", f"default={_ETCD_PEERS}",
    ])  # fmt: skip
    daemons.start("kube-apiserver", [
        program("kube-apiserver"), f"--etcd-servers={_ETCD}",
        f"--bind-address={ADDRESS}", f"--advertise-address={ADDRESS}", f"--secure-port={PORT}",
        f"--tls-cert-file={credentials.certificate}", f"--tls-private-key-file={credentials.key}",
        f"--client-ca-file={credentials.authority}", f"--token-auth-file={credentials.tokens}",
        f"--kubelet-client-certificate={credentials.certificate}", f"--kubelet-client-key={credentials.key}",
        "--kubelet-preferred-address-types=InternalIP", "--authorization-mode=Node,RBAC",
        f"--service-account-key-file={credentials.service_account_key}",
        f"--service-account-signing-key-file={credentials.service_account_key}",
        "--service-account-issuer=https://kubernetes.default.svc", f"--service-cluster-ip-range={SERVICES}",
    ])  # fmt: skip
    kubectl = Kubectl(credentials.kubeconfig("admin"))
    until("the API server is ready", lambda: _ready(daemons, kubectl))
    daemons.start("kube-controller-manager", [
        program("kube-controller-manager"),
        f"--kubeconfig={credentials.kubeconfig('controller-manager')}", "--leader-elect=false",
        f"--service-account-private-key-file={credentials.service_account_key}",
        f"--root-ca-file={credentials.authority}", "--use-service-account-credentials",
    ])  # fmt: skip
    daemons.start("kube-scheduler", [
        program("kube-scheduler"),
        f"--kubeconfig={credentials.kubeconfig('scheduler')}", "--leader-elect=false",
    ])  # fmt: skip
    return kubectl


def _ready(daemons: Daemons, kubectl: Kubectl) -> bool:
    daemons.check()
    try:
        return kubectl.raw("/readyz") == "ok"
    except KubectlError:
        return False
