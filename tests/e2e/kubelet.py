"""The configuration of the one node's kubelet."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.containerd import SOCKET
from tests.e2e.credentials import Credentials
from tests.e2e.network import ADDRESS

NODE = "blendtune"
CGROUP = "blendtune-e2e"  # below the root of every controller


def configure(folder: Path, credentials: Credentials) -> Path:
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(credentials.authority)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "clusterDNS": [ADDRESS],
        "clusterDomain": "cluster.local",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "imageGCHighThresholdPercent": 100,  # images stay, whatever the disk looks like
        "evictionHard": {"memory.available": "100Mi"},
    }
    path = folder / "kubelet.json"
    path.write_text(json.dumps(config))
    return path
