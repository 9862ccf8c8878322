"""A real Kubernetes of one node, inside the namespaces that `python -m tests.e2e` makes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import containerd, control_plane, credentials, kubelet, network
from tests.e2e.binaries import program
from tests.e2e.credentials import Credentials
from tests.e2e.daemons import Daemons
from tests.e2e.kubectl import Kubectl, KubectlError
from tests.e2e.layout import RESULTS
from tests.e2e.waiting import until

_COREFILE = """\
cluster.local in-addr.arpa {{
  bind {address}
  errors
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig}
  }}
}}
. {{
  bind {address}
  template ANY ANY {{
    rcode NXDOMAIN
  }}
}}
"""


@dataclass(frozen=True)
class Cluster:
    folder: Path
    daemons: Daemons
    kubectl: Kubectl
    credentials: Credentials


@contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Brings the cluster up, and takes it down again."""
    _private_folders(folder)
    cni = folder / "cni"
    network.prepare(cni)
    made = credentials.make(
        folder / "credentials", control_plane.SERVER, [network.ADDRESS, network.KUBERNETES_SERVICE]
    )
    daemons = Daemons(RESULTS / "logs")
    try:
        kubectl = control_plane.start(daemons, folder, made)
        daemons.start("containerd", ["containerd", "--config", str(containerd.configure(folder, cni))])
        until("containerd answers", containerd.ready)
        containerd.load()
        _start_node(daemons, folder, made)
        until("the node is ready", lambda: _node_is_ready(daemons, kubectl))
        _enforce_network_policies(daemons, made)
        yield Cluster(folder, daemons, kubectl, made)
    finally:
        daemons.stop()


def _private_folders(folder: Path) -> None:
    """Mounts folders of the state over the places where the node's programs keep things."""
    subprocess.run(["mount", "--make-rshared", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    for place in ("/var/lib", "/var/log"):
        own = folder / "root" / place[1:]
        own.mkdir(parents=True)
        subprocess.run(["mount", "--bind", str(own), place], check=True)
    resolver = folder / "resolv.conf"
    resolver.write_text(f"nameserver {network.ADDRESS}\n")
    subprocess.run(["mount", "--bind", str(resolver), "/etc/resolv.conf"], check=True)


def _start_node(daemons: Daemons, folder: Path, made: Credentials) -> None:
    name = f"--hostname-override={kubelet.NODE}"
    daemons.start("kubelet", [
        program("kubelet"), f"--config={kubelet.configure(folder, made)}",
        f"--kubeconfig={made.kubeconfig('kubelet')}", f"--node-ip={network.ADDRESS}", name,
    ])  # fmt: skip
    daemons.start("kube-proxy", [
        program("kube-proxy"), f"--kubeconfig={made.kubeconfig('proxy')}", "--proxy-mode=iptables",
        f"--cluster-cidr={network.SUBNET}", "--conntrack-max-per-core=0", name,
    ])  # fmt: skip
    corefile = folder / "Corefile"
    corefile.write_text(_COREFILE.format(address=network.ADDRESS, kubeconfig=made.kubeconfig("admin")))
    daemons.start("coredns", [program("coredns"), "-conf", str(corefile)])


def _enforce_network_policies(daemons: Daemons, made: Credentials) -> None:
    daemons.start("kube-router", [
        program("kube-router"), f"--kubeconfig={made.kubeconfig('admin')}",
        f"--hostname-override={kubelet.NODE}", f"--service-cluster-ip-range={network.SERVICES}",
        "--run-firewall=true", "--run-router=false", "--run-service-proxy=false",
    ])  # fmt: skip


def _node_is_ready(daemons: Daemons, kubectl: Kubectl) -> bool:
    daemons.check()
    try:
        conditions = kubectl.get("node", kubelet.NODE)["status"]["conditions"]
        kubectl.get("serviceaccount", "default")
    except KubectlError:
        return False
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
