"""A certificate authority, one server certificate and a token for each component, new for each cluster."""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

USERS = {
    "admin": ("admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet": ("system:node:blendtune", "system:nodes"),
}


@dataclass(frozen=True)
class Credentials:
    folder: Path
    server: str

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def certificate(self) -> Path:
        """Of the API server, which shows it to kubelets too."""
        return self.folder / "server.crt"

    @property
    def key(self) -> Path:
        return self.folder / "server.key"

    @property
    def service_account_key(self) -> Path:
        return self.folder / "service-accounts.key"

    @property
    def tokens(self) -> Path:
        return self.folder / "tokens.csv"

    def kubeconfig(self, user: str) -> Path:
        return self.folder / f"{user}.kubeconfig"


def make(folder: Path, server: str, addresses: Sequence[str]) -> Credentials:
    folder.mkdir(mode=0o700)
    made = Credentials(folder, server)
    _certificates(made, addresses)
    rows = []
    for user, (name, group) in USERS.items():
        token = secrets.token_hex(16)
        rows.append(f'{token},{name},{name},"{group}"')
        made.kubeconfig(user).write_text(json.dumps(_kubeconfig(made, token)))
    made.tokens.write_text("\n".join(rows) + "\n")
    return made


def _certificates(made: Credentials, addresses: Sequence[str]) -> None:
    names = [
        *(f"IP:{address}" for address in addresses),
        *(f"DNS:{name}" for name in ("kubernetes", "kubernetes.default", "kubernetes.default.svc")),
    ]
    authority_key = made.folder / "ca.key"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    _run(*new, "-subj", "/CN=blendtune-e2e", "-keyout", authority_key, "-out", made.authority)
    _run(
        *new, "-subj", "/O=system:masters/CN=kube-apiserver", "-addext", f"subjectAltName={','.join(names)}",
        "-addext", "basicConstraints=critical,CA:FALSE", "-CA", made.authority, "-CAkey", authority_key,
        "-keyout", made.key, "-out", made.certificate,
    )  # fmt: skip
    _run("openssl", "genrsa", "-out", made.service_account_key, "2048")


def _kubeconfig(made: Credentials, token: str) -> dict[str, object]:
    cluster = {"server": made.server, "certificate-authority": str(made.authority)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "e2e", "cluster": cluster}],
        "users": [{"name": "e2e", "user": {"token": token}}],
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        "current-context": "e2e",
    }


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
