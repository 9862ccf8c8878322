"""containerd: its configuration, and the import of images into it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.e2e.images import IMPORTED, PAUSE, archive, identity
from tests.e2e.layout import IMAGES
from tests.e2e.network import PLUGINS

SOCKET = "/run/containerd/containerd.sock"

# Lowering oom_score_adj needs a capability that a virtual machine may not grant.
_CONFIG = """\
version = 2
root = "{root}"
state = "/run/containerd"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{cni}"
"""


def configure(folder: Path, cni: Path) -> Path:
    path = folder / "containerd.toml"
    root = IMAGES / "containerd"
    path.write_text(_CONFIG.format(root=root, socket=SOCKET, pause=PAUSE, plugins=PLUGINS, cni=cni))
    return path


def ready() -> bool:
    return subprocess.run([*_ctr(), "version"], capture_output=True).returncode == 0


def load(images: Iterable[str] = IMPORTED) -> None:
    """Imports those of the images that changed since containerd got them."""
    record = IMAGES / "imported.json"  # identity by name
    imported: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
    listed = subprocess.check_output([*_ctr(), "images", "list", "--quiet"], text=True).split()
    for image in images:
        if image in listed and imported.get(image) == identity(image):
            continue
        with archive(image) as stream:
            subprocess.run(
                [*_ctr(), "images", "import", "-"], stdin=stream, check=True, stdout=subprocess.DEVNULL
            )
        record.write_text(json.dumps(imported := {**imported, image: identity(image)}))


def _ctr() -> list[str]:
    return ["ctr", "--address", SOCKET, "--namespace", "k8s.io"]
