"""A server of the Hugging Face hub's API on loopback, for the unmodified client (`HF_ENDPOINT`).

It answers what huggingface_hub and `datasets` ask for reading: info of a repository, its tree in pages, the
facts of some paths, and files: small ones at once, large ones (LFS) by a redirect to another path, both with
ranges. `faults` are what goes wrong.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.request_faults import take_fault

_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/(revision|tree|paths-info)/([^/]+)(?:/(.*))?)?")
_RESOLVE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
_CDN = re.compile(r"/cdn/(models|datasets)/([^/]+/[^/]+)/([^/]+)/(.+)")
_LFS_SUFFIXES = (".safetensors", ".bin", ".parquet")


@dataclass
class Repository:
    """The commits of a repository, oldest first, and the branches and tags that name them."""

    name: str
    commits: list[dict[str, bytes]]
    type: str = "models"  # or "datasets"
    token: str | None = None  # who may read it; None for everyone
    gated: bool = False

    @property
    def refs(self) -> dict[str, dict[str, bytes]]:
        """The files by commit; `main` is the last commit, and `v1` the first."""
        by_id = {self.commit_id(number): files for number, files in enumerate(self.commits)}
        return by_id | {"main": self.commits[-1], "v1": self.commits[0]}

    def commit_id(self, number: int) -> str:
        return hashlib.sha1(f"{self.name} {number % len(self.commits)}".encode()).hexdigest()

    def commit_of(self, files: Mapping[str, bytes]) -> str:
        return next(self.commit_id(number) for number, each in enumerate(self.commits) if each is files)


@dataclass
class Fault:
    """What goes wrong with `times` requests whose method and path match, after `passes` that go well."""

    path: str  # a regular expression, searched for
    status: int = 0  # answered with this status; 0: with the content, which is then spoiled
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks_after: int | None = None  # bytes of the content, before the connection is reset
    spoils: bool = False  # the content's first byte is another one
    shortens: int = 0  # bytes that the content lacks at its end, without a word
    times: int = 1
    passes: int = 0
    method: str = "GET"


@dataclass
class HubServer:
    """The repositories and faults of a running server, and the requests that it got."""

    endpoint: str = ""
    page_size: int = 50
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # "GET /path bytes=0-5"

    def add(self, repository: Repository) -> Repository:
        self.repositories[repository.type, repository.name] = repository
        return repository

    def clear(self) -> None:
        self.repositories.clear()
        self.faults.clear()
        self.requests.clear()


@contextmanager
def serving() -> Iterator[HubServer]:
    """A server that runs within the block."""
    hub = HubServer()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Refused(Exception):
    """A request that is answered with a status and the error headers of the hub."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: HubServer

    def log_message(self, *_: object) -> None:
        """Keeps the tests' output clean."""

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_GET  # noqa: N815

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        ranges = self.headers.get("Range", "")
        self.hub.requests.append(f"{self.command} {unquote(url.path)} {ranges}".strip())
        self._fault = take_fault(self.hub.faults, self.command, unquote(url.path))
        try:
            if self._fault is not None and self._fault.status:
                raise _Refused(self._fault.status, message="out of order")
            if match := _API.fullmatch(url.path):
                self._answer_api(match, parse_qs(url.query), body)
            elif match := _RESOLVE.fullmatch(url.path):
                self._answer_file(match)
            elif match := _CDN.fullmatch(url.path):
                files = self.hub.repositories[match[1], match[2]].refs[match[3]]
                self._send_content(files[unquote(match[4])], {})
            else:
                raise _Refused(404, "", "no such page")
        except _Refused as refused:
            headers = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
            extra = dict(self._fault.headers) if self._fault is not None else {}
            self._send(refused.status, b"{}", {**headers, **extra})

    def _repository(self, kind: str, name: str) -> Repository:
        """The repository, if the token may read it. As on the hub, 401 stands for absence too."""
        repository = self.hub.repositories.get((kind, name))
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given == "expired":
            raise _Refused(401, "", "Invalid credentials in Authorization header")
        if repository is None:
            raise _Refused(404 if given else 401, "RepoNotFound" if given else "", "Repository not found")
        if repository.token not in (None, given):
            if repository.gated:
                raise _Refused(403 if given else 401, "GatedRepo", f"Access to {name} is restricted")
            raise _Refused(404 if given else 401, "RepoNotFound" if given else "", "Repository not found")
        return repository

    def _files(self, repository: Repository, revision: str) -> dict[str, bytes]:
        files = repository.refs.get(unquote(revision))
        if files is None:
            raise _Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return files

    def _answer_api(self, match: re.Match[str], query: dict[str, list[str]], body: bytes) -> None:
        kind, name, what, revision, path = match.groups()
        repository = self._repository(kind, name)
        files = self._files(repository, revision or "main")
        commit = repository.commit_of(files)
        match what:
            case None | "revision":
                siblings = [{"rfilename": each} for each in files]
                info = {"id": name, "sha": commit, "siblings": siblings, "private": False, "tags": []}
                self._send_json({**info, "gated": "manual" if repository.gated else False})
            case "paths-info":
                form = parse_qs(body.decode()) if body[:1] != b"{" else json.loads(body)
                paths = form["paths"] if isinstance(form["paths"], list) else [form["paths"]]
                entries = _entries(files, "", recursive=True)
                self._send_json([entry for entry in entries if entry["path"] in paths])
            case _:
                self._send_tree(files, unquote(path or ""), query)

    def _send_tree(self, files: Mapping[str, bytes], path: str, query: dict[str, list[str]]) -> None:
        recursive = query.get("recursive", ["false"])[0].lower() == "true"
        entries = _entries(files, path, recursive=recursive)
        if path and not entries:
            raise _Refused(404, "EntryNotFound", f"{path} does not exist")
        first = int(query.get("cursor", ["0"])[0])
        last = first + self.hub.page_size
        headers = {}
        if last < len(entries):
            base = urlsplit(self.path).path
            more = f"{self.hub.endpoint}{base}?recursive={recursive}&cursor={last}"
            headers["Link"] = f'<{more}>; rel="next"'
        self._send_json(entries[first:last], headers)

    def _answer_file(self, match: re.Match[str]) -> None:
        kind = "datasets" if match[1] else "models"
        repository = self._repository(kind, match[2])
        files, path = self._files(repository, match[3]), unquote(match[4])
        commit = repository.commit_of(files)
        if path not in files:
            self._fault = Fault(path="", headers={"X-Repo-Commit": commit})
            raise _Refused(404, "EntryNotFound", "Entry not found")
        content, headers = files[path], {"X-Repo-Commit": commit}
        if not path.endswith(_LFS_SUFFIXES):
            self._send_content(content, {**headers, "ETag": f'"{_git_blob(content)}"'})
            return
        large = {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{_sha256(content)}"'}
        location = f"{self.hub.endpoint}/cdn/{kind}/{match[2]}/{commit}/{match[4]}"
        self._send(302, b"", {**headers, **large, "Location": location})

    def _send_content(self, content: bytes, headers: Mapping[str, str]) -> None:
        fault = self._fault
        if fault is not None:
            content = content[: len(content) - fault.shortens]
            content = bytes([content[0] ^ 1]) + content[1:] if fault.spoils else content
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        headers = {"Accept-Ranges": "bytes", **headers}
        if asked is None:
            self._send(200, content, headers)
            return
        first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
        if first >= len(content):
            raise _Refused(416, "", "out of range")
        part = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self._send(206, content[first : last + 1], {**headers, **part})

    def _send_json(self, value: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        after = self._fault.breaks_after if self._fault is not None and status < 300 else None
        if after is None:
            self.wfile.write(content)
            return
        self.wfile.write(content[:after])
        self.wfile.flush()
        # Without lingering, closing sends a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


def _entries(files: Mapping[str, bytes], below: str, *, recursive: bool) -> list[dict[str, Any]]:
    """The tree of a folder, as the hub lists it: folders first. A path that is a file has no entries."""
    prefix = f"{below}/" if below else ""
    inside = {path: content for path, content in files.items() if path.startswith(prefix)}
    folders = {
        prefix + "/".join(path.removeprefix(prefix).split("/")[:depth])
        for path in inside
        for depth in range(1, path.removeprefix(prefix).count("/") + 1)
    }
    entries: list[dict[str, Any]] = [
        {"type": "directory", "oid": _git_blob(folder.encode()), "size": 0, "path": folder}
        for folder in sorted(folders)
    ]
    for path, content in sorted(inside.items()):
        entry = {"type": "file", "oid": _git_blob(content), "size": len(content), "path": path}
        if path.endswith(_LFS_SUFFIXES):
            entry["lfs"] = {"oid": _sha256(content), "size": len(content), "pointerSize": 130}
        entries.append(entry)
    return [entry for entry in entries if recursive or "/" not in entry["path"].removeprefix(prefix)]


def _git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
