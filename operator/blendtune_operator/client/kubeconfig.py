"""The user's kubeconfig, or the service account of the pod that the command runs in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio import client, config
from kubernetes.aio.config.config_exception import ConfigException

from blendtune_operator.client.faults import ClientError, nearest

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Login:
    """How the API server is reached, and the namespace that is meant where none is named."""

    configuration: client.Configuration
    namespace: str


async def log_in(context: str | None) -> Login:
    """By KUBECONFIG, else by ~/.kube/config, else as the pod's service account.

    Raises ClientError where there is none of them, and for what cannot be used.
    """
    files = _files()
    configuration = client.Configuration()
    if context is None and not any(file.exists() for file in files) and (_ACCOUNT / "token").exists():
        try:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except ConfigException as error:
            raise ClientError(f"the service account of this pod cannot be used: {error}") from error
        return Login(configuration, _read_namespace())
    named = ":".join(map(str, files))
    if not any(file.is_file() for file in files):
        raise ClientError(
            f"there is no kubeconfig: {named} is not there. Ask whoever runs the cluster for one, and name "
            "it in KUBECONFIG"
        )
    try:
        chosen = _context(named, context)
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=named, context=chosen["name"], client_configuration=configuration
        )
    except (ConfigException, yaml.YAMLError, OSError, ValueError, KeyError, TypeError) as error:
        raise ClientError(f"{named} cannot be used: {_one_line(error)}") from error
    return Login(configuration, chosen["context"].get("namespace") or _DEFAULT)


def _files() -> list[Path]:
    named = os.environ.get("KUBECONFIG", "")
    listed = [Path(part) for part in named.split(os.pathsep) if part]
    return listed or [Path("~/.kube/config").expanduser()]


def _context(named: str, wanted: str | None) -> dict[str, Any]:
    contexts, current = config.list_kube_config_contexts(named)  # type: ignore[no-untyped-call]
    if wanted is None:
        found: dict[str, Any] = current
        return found
    for each in contexts:
        if each["name"] == wanted:
            named_one: dict[str, Any] = each
            return named_one
    raise ClientError(
        f"{named} has no context {wanted}: {nearest(wanted, (each['name'] for each in contexts))}"
    )


def _read_namespace() -> str:
    try:
        return (_ACCOUNT / "namespace").read_text().strip() or _DEFAULT
    except OSError:
        return _DEFAULT


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
