"""A plain client of the API server for tests: one blocking request at a time."""

from __future__ import annotations

import contextlib
import json
import select
import ssl
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

import yaml

from blendtune_operator.names import Kind, Object

_CONTEXT = ssl.create_default_context()
_CONTEXT.check_hostname = False
_CONTEXT.verify_mode = ssl.CERT_NONE
_APPLY = "application/apply-patch+yaml"
# By server. A TLS handshake costs both sides five times as much as most requests do.
_idle: defaultdict[str, list[HTTPConnection]] = defaultdict(list)


class Refused(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str, headers: HTTPMessage) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.headers = headers


def close_connections(server: str) -> None:
    """To be called when the server ends."""
    for connection in _idle.pop(server, ()):
        connection.close()


@dataclass(frozen=True)
class Client:
    server: str
    token: str

    def text(self, path: str) -> str:
        return self._send("GET", path)[1].decode()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Any:
        return json.loads(self._send(method, path, body, content_type, accept)[1])

    def dry_run(self, path: str, obj: Object) -> list[str]:
        """The API server's warnings about an object. Raises Refused, also for unknown fields."""
        query = "fieldManager=tests&force=true&dryRun=All&fieldValidation=Strict"
        headers, _ = self._send("PATCH", f"{path}?{query}", obj, _APPLY)
        return list(headers.get_all("Warning") or [])

    def find(self, path: str) -> Any:
        """The answer to a GET; None where nothing is found, or not yet served."""
        try:
            return self.call("GET", path)
        except Refused as error:
            if error.status in (404, 429, 503):
                return None
            raise

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        found: Object | None = self.find(kind.path(namespace, name))
        return found

    def list(self, kind: Kind, namespace: str | None, selector: str = "") -> list[Object]:
        query = f"?labelSelector={selector}" if selector else ""
        items = self.call("GET", kind.path(namespace) + query)["items"]
        return [{**item, "apiVersion": kind.api_version, "kind": kind.value} for item in items]

    def create(self, obj: Object) -> Object:
        created: Object = self.call("POST", Kind(obj["kind"]).path(obj["metadata"]["namespace"]), obj)
        return created

    def delete(self, obj: Object) -> None:
        path = Kind(obj["kind"]).path(obj["metadata"]["namespace"], obj["metadata"]["name"])
        try:
            self.call("DELETE", path, {"propagationPolicy": "Background"})
        except Refused as error:
            if error.status != 404:
                raise

    def patch(self, kind: Kind, namespace: str, name: str, change: Any, subresource: str = "") -> Object:
        """A merge patch."""
        path = kind.path(namespace, name) + (f"/{subresource}" if subresource else "")
        patched: Object = self.call("PATCH", path, change, "application/merge-patch+json")
        return patched

    def set_status(self, obj: Object, status: Object) -> Object:
        metadata = obj["metadata"]
        kind = Kind(obj["kind"])
        return self.patch(kind, metadata["namespace"], metadata["name"], {"status": status}, "status")

    def apply_text(self, collection: str, text: str, manager: str = "tests") -> None:
        """Server-side apply of every document in a YAML text."""
        for document in _documents(text):
            name = document["metadata"]["name"]
            path = f"{collection}/{name}?fieldManager={manager}&force=true"
            self.call("PATCH", path, document, _APPLY)

    def _send(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "*/*",
    ) -> tuple[HTTPMessage, bytes]:
        """Headers and content of the answer. Raises Refused, and OSError where there is no answer."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": content_type,
            "Accept": accept,
        }
        connection = _connection(self.server)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        _idle[self.server].append(connection)
        if answer.status >= 400:
            raise Refused(answer.status, _message(content), answer.headers)
        return answer.headers, content


def _connection(server: str) -> HTTPConnection:
    """An idle connection that the server has not closed, else a new one."""
    while _idle[server]:
        connection = _idle[server].pop()
        if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
            return connection
        connection.close()
    address = urlsplit(server)
    if address.scheme == "https":
        return HTTPSConnection(address.netloc, timeout=30, context=_CONTEXT)
    return HTTPConnection(address.netloc, timeout=30)


def _message(content: bytes) -> str:
    """The message of a Status, or what else the answer holds."""
    text = content.decode()
    with contextlib.suppress(ValueError):
        text = json.loads(text).get("message", text)
    return text


def config_map(namespace: str, name: str, owner: Object | None = None) -> Object:
    """One without data, for what any object would do."""
    metadata: Object = {"name": name, "namespace": namespace}
    if owner is not None:
        metadata["ownerReferences"] = [
            {key: owner[key] for key in ("apiVersion", "kind")}
            | {key: owner["metadata"][key] for key in ("name", "uid")}
        ]
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def _documents(text: str) -> Iterator[Any]:
    return (document for document in yaml.safe_load_all(text) if document)
