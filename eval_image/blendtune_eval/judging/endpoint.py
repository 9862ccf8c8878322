"""Where a judge's chat completions are, and in which header it takes a key."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit, urlunsplit

from blendtune_eval.api_client import AUTHORIZATION

_COMPLETIONS = "/chat/completions"
_VERSION = re.compile(r"(?:^|/)(?:api/)?v\d+\w*(?:/|$)")  # of an API in its path
_AZURE = re.compile(r"[.]azure(?:-api)?[.](?:com|us|cn|net)$")
_AZURE_VERSION = "api-version"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The ways in which a server may be addressed, the most likely first."""

    urls: tuple[str, ...]
    key_headers: tuple[str, ...]

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """Of a base URL, or of the URL of chat completions itself. A query (Azure's api-version) is kept.

        A URL whose path names no version is also tried with /v1, which many servers require.
        """
        parts = urlsplit(url)
        base = _base(parts.path)
        paths = [base] if _VERSION.search(base) or _is_azure(url) else [base, f"{base}/v1"]
        return cls(
            urls=tuple(
                urlunsplit(parts._replace(path=f"{path}{_COMPLETIONS}", fragment="")) for path in paths
            ),
            key_headers=("api-key",) if _is_azure(url) else (AUTHORIZATION, "api-key"),
        )

    @property
    def elsewhere(self) -> Endpoint | None:
        """The same server at the next path; None where there is none."""
        return replace(self, urls=self.urls[1:]) if self.urls[1:] else None

    @property
    def with_other_header(self) -> Endpoint | None:
        """The same URL with the key in the next header; None where there is none."""
        return replace(self, key_headers=self.key_headers[1:]) if self.key_headers[1:] else None


def address(url: str) -> str:
    """What names the server in messages and digests: host, base path, and query."""
    parts = urlsplit(url)
    return f"{parts.netloc}{_base(parts.path)}{f'?{parts.query}' if parts.query else ''}"


def _base(path: str) -> str:
    """The path without a trailing slash and without that of chat completions."""
    return path.rstrip("/").removesuffix(_COMPLETIONS).rstrip("/")


def _is_azure(url: str) -> bool:
    """Whether the server is Azure's, whose own form takes a version in the query and the key in a header."""
    parts = urlsplit(url)
    return _AZURE_VERSION in parse_qs(parts.query) or _AZURE.search(parts.hostname or "") is not None
