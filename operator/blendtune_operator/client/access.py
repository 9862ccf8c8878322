"""A person's access to one namespace of a cluster, and what its refusals mean."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from blendtune_operator.api import Api, ApiError, connected
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.kubeconfig import log_in

_CONNECTIONS = 64  # one for each log that is followed
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)"'
    r' in API group "(?P<group>[^"]*)"'
)
_READING = frozenset({"get", "list", "watch"})
_OURS = "/apis/blendtune.io/"


@dataclass(frozen=True, slots=True)
class Access:
    api: Api
    namespace: str


@asynccontextmanager
async def access(context: str | None, namespace: str | None) -> AsyncIterator[Access]:
    """Raises ClientError where there is no way in; what the server refuses later is an ApiError."""
    login = await log_in(context)
    async with connected(login.configuration, _CONNECTIONS, lambda *_: None) as api:
        yield Access(api, namespace or login.namespace)


def explain(error: ApiError, namespace: str) -> ClientError:
    """What the server's refusal means for the person who asked."""
    call, _, text = str(error).partition(": ")
    if error.status == 0:
        return ClientError(
            f"the API server does not answer ({text or call}): is the kubeconfig's address right, and is the "
            "cluster up?"
        )
    if error.status == 401:
        return ClientError("the API server does not accept the kubeconfig's credentials: log in again")
    if error.status == 403 and (said := _FORBIDDEN.search(text)):
        return ClientError(_missing_right(said, namespace))
    if error.status == 404 and _OURS in call and "could not find the requested resource" in text:
        return ClientError(
            "the cluster does not know Blendtune's kinds: an administrator installs the chart "
            "(docs/install.md)"
        )
    return ClientError(text or str(error))


def _missing_right(said: re.Match[str], namespace: str) -> str:
    group = f".{said['group']}" if said["group"] else ""
    role = "view" if said["verb"] in _READING and "/" not in said["resource"] else "edit"
    if said["resource"] == "pods/log":
        role = "view"
    return (
        f"{said['user']} may not {said['verb']} {said['resource']}{group} in namespace {namespace}: ask for "
        f"the role {role} there (docs/client.md lists what each command needs)"
    )
