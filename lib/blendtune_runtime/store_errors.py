"""What an error of the hub or of an object store means, told by its code, and what its user can do."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from blendtune_runtime.errors import (
    BadConfiguration,
    StageError,
    Transient,
    is_storage_full,
    storage_full,
)

_RETRYABLE_STATUS = frozenset({408, 409, 412, 425, 429})  # and all from 500
_DENIED_STATUS = frozenset({401, 403, 407})
_S3_TRANSIENT = frozenset(
    {"BadDigest", "IncompleteBody", "NoSuchUpload", "RequestTimeout", "SlowDown", "XAmzContentSHA256Mismatch"}
)
_S3_DENIED = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})
_S3_MISSING = frozenset({"NoSuchBucket", "NoSuchKey"})
_S3_OTHER_REGION = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
)
_NO_KEYS = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"})  # of botocore

_HUB_TOKEN = "HF_TOKEN in the Secret of spec.credentials.secretRef (in local mode, in the environment)"
_S3_KEYS = (
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the Secret of spec.credentials.secretRef (in local mode, "
    "in the environment)"
)


class Kind(StrEnum):
    """What an error of a store means, with the advice for its user. Only the first may pass by itself."""

    TRANSIENT = "it does not answer as it should"
    MISSING = "there is no such file or folder, or no such bucket"
    MISSING_OR_PRIVATE = f"there is no such repository, or it is private: check the name, or set {_HUB_TOKEN}"
    NO_REVISION = "it has no such revision: name a branch, a tag or a commit that it has"
    GATED = f"it is gated: accept its terms on its page, and set a token of that account as {_HUB_TOKEN}"
    TOKEN_DENIED = f"the hub denies access: set a token that may read it as {_HUB_TOKEN}"
    KEYS_DENIED = f"the store denies access: check {_S3_KEYS}, and what these keys may do with the bucket"
    NO_KEYS = f"there are no keys for the store: set {_S3_KEYS}, or name spec.credentials.serviceAccountName"
    OTHER_REGION = (
        "the bucket is in another region than was asked: set AWS_DEFAULT_REGION where the keys are set"
    )
    NO_TRUST = (
        "its certificate is not trusted: set SSL_CERT_FILE (for s3:// AWS_CA_BUNDLE) to a file with that of "
        "its authority"
    )
    ARCHIVED = "the object is in an archive (such as S3 Glacier): restore it, or name a copy of it"
    FORBIDDEN = "it may not be read or written by the user that this program runs as"
    REFUSED = "the request is refused: check the address, and HF_ENDPOINT or AWS_ENDPOINT_URL if it is set"


_OF_ABSENCE = frozenset({Kind.MISSING, Kind.MISSING_OR_PRIVATE, Kind.NO_REVISION})


@contextmanager
def store_errors(place: str, absent: type[StageError] = BadConfiguration) -> Iterator[None]:
    """Raises the errors of a store within the block as stage errors; all others pass through.

    `place` begins the message: the field of the spec and the address. What may pass by itself is raised as
    Transient, what does not exist as `absent`, and the rest as BadConfiguration.
    """
    try:
        yield
    except Exception as error:
        raised = stage_error(error, place, absent)
        if raised is None:
            raise
        raise raised from error


def check_store(error: Exception, place: str, absent: type[StageError] = BadConfiguration) -> None:
    """Raises the stage error if the error is surely one of a store, and not of what it holds.

    A library that reads rows from a store hides its errors behind those that it has for bad content.
    """
    if isinstance(error, StageError):
        raise error
    surely = _kind(error, (_by_response, _by_library)) is not None
    if surely and (raised := stage_error(error, place, absent)):
        raise raised from error


def stage_error(
    error: Exception, place: str, absent: type[StageError] = BadConfiguration
) -> StageError | None:
    """The stage error for an error of a store, as `store_errors` raises it; None if it is none of a store."""
    if isinstance(error, StageError):
        return None
    if is_storage_full(error):
        return storage_full(error)
    kind = classify(error)
    if kind is None:
        return None
    message = f"{place}: {kind} ({_first_line(error)})"
    if kind is Kind.TRANSIENT:
        return Transient(message)
    return absent(message) if kind in _OF_ABSENCE else BadConfiguration(message)


def classify(error: BaseException) -> Kind | None:
    """What an error of a store means; None if it is none of a store.

    The libraries hide the error that has a code behind others: the first of the chain that has one decides.
    """
    return _kind(error, (_by_response, _by_library, _by_builtin))


def _kind(error: BaseException, ways: Sequence[Callable[[BaseException], Kind | None]]) -> Kind | None:
    """What the error means in the first of several ways to tell it that tells anything."""
    chain = list(_chain(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        return Kind.NO_TRUST
    for kind_of in ways:
        for each in chain:
            if kind := kind_of(each):
                return kind
    return None


def retry_after(error: BaseException) -> float:
    """The seconds that a server asks to wait before the next request; 0 if it does not."""
    for each in _chain(error):
        headers = getattr(getattr(each, "response", None), "headers", None)
        if headers is not None:
            value = str(headers.get("Retry-After", ""))
            return float(value) if value.isdigit() else 0.0
    return 0.0


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _by_response(error: BaseException) -> Kind | None:
    """By the response of the hub, or of S3 as botocore keeps it."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict) and "Error" in response:
        code = str(response["Error"].get("Code", ""))
        return _s3_kind(code, response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if not isinstance(getattr(response, "status_code", None), int):
        return None
    code, status = response.headers.get("X-Error-Code", ""), response.status_code
    bad_token = response.headers.get("X-Error-Message", "").startswith("Invalid credentials")
    if status in _RETRYABLE_STATUS or status >= 500:
        return Kind.TRANSIENT
    match code:
        case "GatedRepo":
            return Kind.GATED
        case "RevisionNotFound":
            return Kind.NO_REVISION
        case "EntryNotFound":
            return Kind.MISSING
    if code == "RepoNotFound" or (status in (401, 404) and not bad_token):
        return Kind.MISSING_OR_PRIVATE
    return Kind.TOKEN_DENIED if status in _DENIED_STATUS else Kind.REFUSED


def _s3_kind(code: str, status: int) -> Kind:
    """By the code of S3, or by the status: a HEAD has no body, and so its status for a code."""
    status = int(code) if code.isdigit() else status
    if code in _S3_OTHER_REGION or status == 301:
        return Kind.OTHER_REGION
    if code == "InvalidObjectState":
        return Kind.ARCHIVED
    if code in _S3_MISSING or (code not in _S3_TRANSIENT and status == 404):
        return Kind.MISSING
    if code in _S3_TRANSIENT or status in (307, *_RETRYABLE_STATUS) or status >= 500:
        return Kind.TRANSIENT
    return Kind.KEYS_DENIED if code in _S3_DENIED or status in _DENIED_STATUS else Kind.REFUSED


def _by_library(error: BaseException) -> Kind | None:
    """By the type of an error that has no response: no keys, no connection, or one that broke."""
    import aiohttp
    import httpx2
    from botocore import exceptions as botocore
    from huggingface_hub.errors import HFValidationError

    if type(error).__name__ in _NO_KEYS and isinstance(error, botocore.BotoCoreError):
        return Kind.NO_KEYS
    broken = (
        botocore.HTTPClientError,
        botocore.ConnectionError,
        botocore.IncompleteReadError,
        botocore.CredentialRetrievalError,  # the service that gives the keys does not answer
        botocore.FlexibleChecksumError,
        aiohttp.ClientConnectionError,
        aiohttp.ClientPayloadError,
        httpx2.TimeoutException,
        httpx2.NetworkError,
        httpx2.ProxyError,
        httpx2.RemoteProtocolError,
    )
    if isinstance(error, broken):
        return Kind.TRANSIENT
    refused = (botocore.BotoCoreError, httpx2.HTTPError, httpx2.InvalidURL, aiohttp.InvalidURL)
    return Kind.REFUSED if isinstance(error, (*refused, HFValidationError)) else None


def _by_builtin(error: BaseException) -> Kind | None:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return Kind.MISSING
        case PermissionError():
            return Kind.FORBIDDEN
        case OSError():
            return Kind.TRANSIENT
    return None


def _first_line(error: Exception) -> str:
    """The error in its own words, shortened to what says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
