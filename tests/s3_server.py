"""moto's S3 server on loopback, behind a layer that checks keys and region as S3 does, and makes faults."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal.models import moto_api_backend
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from tests.request_faults import take_fault
from werkzeug.serving import WSGIRequestHandler, make_server

REGION = "eu-west-1"
KEY, SECRET = "test-key", "test-secret"
_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/s3/")

Respond = Callable[..., Any]


@dataclass
class Fault:
    """What goes wrong with `times` requests whose method and path match, after `passes` that go well."""

    path: str  # a regular expression, searched for in path and query
    status: int = 0
    code: str = ""
    breaks_after: int | None = None  # bytes of the content, before the connection is closed
    times: int = 1
    passes: int = 0
    method: str = "GET"


@dataclass
class S3Server:
    """The faults of a running server, and the requests that it got."""

    endpoint: str = ""
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # "GET /bucket/key?query bytes=0-5"

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables by which a client finds the server and its keys, with few and short retries."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def put(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Objects by key, in a bucket that is created if it is not there."""
        # Without requests: there may be thousands, and boto3's client is slow to make.
        if bucket not in _backend().buckets:
            _backend().create_bucket(bucket, REGION)
        for key, content in objects.items():
            _backend().put_object(bucket, key, content)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """All objects of a bucket by key."""
        return {key: value.value for key, value in _backend().buckets[bucket].keys.items()}

    def client(self) -> Any:
        """boto3's client, as a user's own tools see the server."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name=REGION,
        )

    def clear(self) -> None:
        moto_api_backend.reset()
        self.faults.clear()
        self.requests.clear()


def _backend() -> Any:
    return s3_backends[DEFAULT_ACCOUNT_ID]["aws"]


@contextmanager
def serving() -> Iterator[S3Server]:
    """A server that runs within the block."""
    s3 = S3Server()
    app = _Layer(s3, DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True
    s3.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield s3
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        """Keeps the tests' output clean."""


class _Broken(ConnectionError):
    """The connection is closed within an answer."""


class _Layer:
    """What S3 does before it looks at a bucket, and what goes wrong on the way."""

    def __init__(self, s3: S3Server, app: Callable[..., Iterable[bytes]]) -> None:
        self._s3, self._app = s3, app

    def __call__(self, environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        self._s3.requests.append(f"{method} {path.rstrip('?')} {environ.get('HTTP_RANGE', '')}".strip())
        refusal = _refusal(environ.get("HTTP_AUTHORIZATION", ""))
        fault = take_fault(self._s3.faults, method, path)
        if refusal is None and fault is not None and fault.status:
            refusal = (fault.status, fault.code)
        if refusal is not None:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            return _error(*refusal, respond, has_body=method != "HEAD")
        content = self._app(environ, respond)
        after = fault.breaks_after if fault is not None else None
        return content if after is None else _broken(content, after)


def _refusal(authorization: str) -> tuple[int, str] | None:
    """Why S3 refuses a request: status and code."""
    match = _CREDENTIAL.search(authorization)
    if match is None:
        return 403, "AccessDenied"
    if match[1] != KEY:
        return 403, "InvalidAccessKeyId"
    return None if match[2] == REGION else (400, "AuthorizationHeaderMalformed")


def _error(status: int, code: str, respond: Respond, *, has_body: bool) -> Iterable[bytes]:
    text = f"<Error><Code>{code}</Code><Message>{code} of the test</Message><Region>{REGION}</Region></Error>"
    body = text.encode() if has_body else b""
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    respond(f"{status} {code}", [*headers, ("x-amz-bucket-region", REGION)])
    return [body]


def _broken(content: Iterable[bytes], after: int) -> Iterator[bytes]:
    yield b"".join(content)[:after]
    raise _Broken
