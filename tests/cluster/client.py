"""A plain client of the API server for tests: one blocking request at a time."""

from __future__ import annotations

import contextlib
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from blendtune_operator.names import Kind, Object

_CONTEXT = ssl.create_default_context()
_CONTEXT.check_hostname = False
_CONTEXT.verify_mode = ssl.CERT_NONE


class Refused(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Client:
    server: str
    token: str

    def text(self, path: str) -> str:
        with urllib.request.urlopen(self._request("GET", path), timeout=30, context=_CONTEXT) as answer:
            return str(answer.read().decode())

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        request = self._request(method, path, body, content_type)
        try:
            with urllib.request.urlopen(request, timeout=30, context=_CONTEXT) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode()
            with contextlib.suppress(ValueError):
                text = json.loads(text).get("message", text)
            raise Refused(error.code, text) from error

    def dry_run(self, path: str, obj: Object) -> list[str]:
        """What the API server warns of in an object. Raises Refused, also on unknown fields."""
        query = "fieldManager=tests&force=true&dryRun=All&fieldValidation=Strict"
        request = self._request("PATCH", f"{path}?{query}", obj, "application/apply-patch+yaml")
        try:
            with urllib.request.urlopen(request, timeout=30, context=_CONTEXT) as answer:
                return list(answer.headers.get_all("Warning") or [])
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read().decode()) from error

    def find(self, path: str) -> Any:
        """What is there; None where nothing is."""
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
            self.call("PATCH", path, document, "application/apply-patch+yaml")

    def _request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> urllib.request.Request:
        return urllib.request.Request(
            self.server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": content_type},
        )


def _documents(text: str) -> Iterator[Any]:
    return (document for document in yaml.safe_load_all(text) if document)
