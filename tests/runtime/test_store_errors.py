"""What errors of stores mean: by their codes, wherever a library has hidden them."""

from __future__ import annotations

import errno
import ssl

import httpx2
import pytest
from botocore import exceptions as botocore
from huggingface_hub.errors import HfHubHTTPError

from blendtune_runtime.errors import BadConfiguration, BadData, StageError, StorageFull, Transient
from blendtune_runtime.models.progress import format_progress
from blendtune_runtime.store_errors import Kind, check_store, classify, stage_error


def s3(code: str, status: int = 400) -> Exception:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.ClientError(response, "GetObject")


def hub(status: int, code: str = "", message: str = "") -> Exception:
    headers = {"X-Error-Code": code, "X-Error-Message": message}
    request = httpx2.Request("GET", "http://hub/api/models/a/b")
    response = httpx2.Response(status, headers=headers, request=request)
    return HfHubHTTPError("refused", response=response)


def hidden(error: Exception) -> Exception:
    """As a library raises another error, because of the first."""
    try:
        try:
            raise error
        except Exception:
            raise OSError(errno.EIO, "something went wrong") from None
    except OSError as raised:
        return raised


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(s3("SlowDown", 503), Kind.TRANSIENT, id="SlowDown"),
        pytest.param(s3("InternalError", 500), Kind.TRANSIENT, id="InternalError"),
        pytest.param(s3("503", 503), Kind.TRANSIENT, id="503 of a HEAD"),
        pytest.param(s3("RequestTimeout", 400), Kind.TRANSIENT, id="RequestTimeout"),
        pytest.param(s3("OperationAborted", 409), Kind.TRANSIENT, id="OperationAborted"),
        pytest.param(s3("PreconditionFailed", 412), Kind.TRANSIENT, id="changed while it was read"),
        pytest.param(s3("NoSuchUpload", 404), Kind.TRANSIENT, id="parts were removed"),
        pytest.param(s3("NoSuchBucket", 404), Kind.MISSING, id="NoSuchBucket"),
        pytest.param(s3("404", 404), Kind.MISSING, id="404 of a HEAD"),
        pytest.param(s3("AccessDenied", 403), Kind.KEYS_DENIED, id="AccessDenied"),
        pytest.param(s3("InvalidAccessKeyId", 403), Kind.KEYS_DENIED, id="InvalidAccessKeyId"),
        pytest.param(s3("SignatureDoesNotMatch", 403), Kind.KEYS_DENIED, id="SignatureDoesNotMatch"),
        pytest.param(s3("403", 403), Kind.KEYS_DENIED, id="403 of a HEAD"),
        pytest.param(s3("InvalidObjectState", 403), Kind.ARCHIVED, id="InvalidObjectState"),
        pytest.param(s3("ExpiredToken", 400), Kind.KEYS_DENIED, id="ExpiredToken"),
        pytest.param(s3("PermanentRedirect", 301), Kind.OTHER_REGION, id="PermanentRedirect"),
        pytest.param(s3("AuthorizationHeaderMalformed", 400), Kind.OTHER_REGION, id="region"),
        pytest.param(s3("InvalidBucketName", 400), Kind.REFUSED, id="InvalidBucketName"),
        pytest.param(botocore.NoCredentialsError(), Kind.NO_KEYS, id="no keys"),
        pytest.param(botocore.EndpointConnectionError(endpoint_url="x"), Kind.TRANSIENT, id="gone"),
        pytest.param(botocore.ReadTimeoutError(endpoint_url="x"), Kind.TRANSIENT, id="timeout"),
        pytest.param(botocore.NoRegionError(), Kind.REFUSED, id="no region"),
        pytest.param(hub(429), Kind.TRANSIENT, id="hub 429"),
        pytest.param(hub(504), Kind.TRANSIENT, id="hub 504"),
        pytest.param(hub(403, "GatedRepo"), Kind.GATED, id="hub gated"),
        pytest.param(hub(401), Kind.MISSING_OR_PRIVATE, id="hub 401"),
        pytest.param(hub(404, "RepoNotFound"), Kind.MISSING_OR_PRIVATE, id="hub 404"),
        pytest.param(hub(404, "RevisionNotFound"), Kind.NO_REVISION, id="hub revision"),
        pytest.param(hub(404, "EntryNotFound"), Kind.MISSING, id="hub entry"),
        pytest.param(
            hub(401, "", "Invalid credentials in Authorization header"), Kind.TOKEN_DENIED, id="token"
        ),
        pytest.param(hub(403), Kind.TOKEN_DENIED, id="hub 403"),
        pytest.param(hub(400), Kind.REFUSED, id="hub 400"),
        pytest.param(httpx2.ReadError("reset"), Kind.TRANSIENT, id="hub breaks"),
        pytest.param(httpx2.ConnectTimeout("late"), Kind.TRANSIENT, id="hub timeout"),
        pytest.param(httpx2.UnsupportedProtocol("x://"), Kind.REFUSED, id="hub endpoint"),
        pytest.param(ssl.SSLCertVerificationError("self-signed"), Kind.NO_TRUST, id="certificate"),
        pytest.param(ConnectionResetError(), Kind.TRANSIENT, id="reset"),
        pytest.param(OSError(errno.EBUSY, "busy"), Kind.TRANSIENT, id="EBUSY"),
        pytest.param(FileNotFoundError(), Kind.MISSING, id="no file"),
        pytest.param(PermissionError(), Kind.FORBIDDEN, id="may not"),
        pytest.param(KeyError("x"), None, id="a mistake of ours"),
    ],
)
def test_kinds(error: Exception, kind: Kind | None) -> None:
    assert classify(error) is kind
    if kind not in (None, Kind.MISSING, Kind.FORBIDDEN) or hasattr(error, "response"):
        assert classify(hidden(error)) is kind


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        pytest.param(s3("SlowDown", 503), Transient, "at: it does not answer", id="transient"),
        pytest.param(s3("NoSuchKey", 404), BadData, "at: there is no such file", id="absent"),
        pytest.param(s3("AccessDenied", 403), BadConfiguration, "spec.credentials.secretRef", id="denied"),
        pytest.param(s3("InvalidObjectState", 403), BadConfiguration, "restore it", id="archived"),
        pytest.param(OSError(errno.ENOSPC, "full"), StorageFull, "no room left", id="full"),
        pytest.param(hub(403, "GatedRepo"), BadConfiguration, "HF_TOKEN", id="gated"),
    ],
)
def test_stage_errors(error: Exception, raised: type[StageError], words: str) -> None:
    found = stage_error(error, "at", BadData)
    assert type(found) is raised
    assert words in found.message


def test_bad_content_is_not_taken_for_an_error_of_the_store() -> None:
    check_store(OSError("not a Parquet file"), "at")
    check_store(ValueError("not JSON"), "at")
    with pytest.raises(Transient):
        check_store(hidden(s3("SlowDown", 503)), "at")


def test_progress_says_how_much_and_how_long() -> None:
    assert format_progress(2 * 10**9, 3 * 10**9, 10**10, 15) == (
        "[##########..........]  50%, 5.0 GB of 10.0 GB, 200.0 MB/s, 25 s left"
    )
    assert format_progress(0, 0, 1000, 15) == "[....................]   0%, 0 B of 1.0 kB, 0 B/s"
