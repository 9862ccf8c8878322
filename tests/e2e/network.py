"""One bridge for all pods, inside the network namespace of the cluster: nothing leads out of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

BRIDGE = "blendtune"
SUBNET = "10.244.0.0/24"
ADDRESS = "10.244.0.1"  # of the node: the bridge's own
SERVICES = "10.96.0.0/16"
KUBERNETES_SERVICE = "10.96.0.1"
PLUGINS = "/usr/lib/cni"


def prepare(cni: Path) -> None:
    """Makes the bridge, and the file by which containerd puts pods on it."""
    for arguments in (
        ["link", "set", "lo", "up"],
        ["link", "add", BRIDGE, "type", "bridge"],
        ["address", "add", f"{ADDRESS}/24", "dev", BRIDGE],
        ["link", "set", BRIDGE, "up"],
        ["route", "add", SERVICES, "dev", BRIDGE],  # kube-proxy rewrites only what has a route
    ):
        subprocess.run(["ip", *arguments], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text("1")
    cni.mkdir()
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": SUBNET, "rangeStart": "10.244.0.10"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    config = {"cniVersion": "0.4.0", "name": "blendtune", "plugins": [bridge]}
    (cni / "10-blendtune.conflist").write_text(json.dumps(config))
