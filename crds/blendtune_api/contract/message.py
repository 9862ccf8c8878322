"""The termination message: an outcome as JSON that the kubelet keeps whole."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

from blendtune_api import codec
from blendtune_api.contract.outcome import (
    BlendResult,
    EvalResult,
    Failure,
    Outcome,
    RubricResult,
    TrainResult,
)

MESSAGE_LIMIT_BYTES = 4096  # what the kubelet keeps of a termination message
_INFLATED_LIMIT_BYTES = 1_000_000
_CUT = " [...]"
_CUT_AT_ONCE = 50  # characters
_OUTCOMES: dict[str, type[Outcome]] = {
    kind.__name__: kind for kind in (RubricResult, BlendResult, TrainResult, EvalResult, Failure)
}


class MessageError(ValueError):
    """A termination message that is empty, cut or of another kind."""


def encode_message(outcome: Outcome) -> str:
    """The outcome as compact JSON of at most MESSAGE_LIMIT_BYTES; floats keep six digits.

    What is too large is deflated; then the message of a Failure, the warnings of a BlendResult and the reason
    of an EvalResult are cut, and the last of its benchmarks are left out: the report has them all.
    Raises MessageError where that is not enough.
    """
    text = _message_text(outcome)
    while not _fits(text):
        outcome = _shortened(outcome)
        text = _message_text(outcome)
    return text


def decode_message(text: str) -> Outcome:
    """The outcome that a container left. Raises MessageError where there is none to be read.

    Fields that this version does not know are ignored: the image may be newer than the operator.
    """
    try:
        document = json.loads(text)
        if "deflated" in document:
            document = json.loads(_inflate(document["deflated"]))
        return codec.decode(_OUTCOMES[document["kind"]], document["result"], lenient=True)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error) as error:
        raise MessageError(f"no outcome in the termination message: {error}") from error


def _message_text(outcome: Outcome) -> str:
    body = {"kind": type(outcome).__name__, "result": _rounded(codec.encode(outcome))}
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    text = text.encode(errors="replace").decode()  # names of files may carry bytes that are no text
    if _fits(text) or isinstance(outcome, Failure):
        return text  # a failure stays readable in `kubectl describe pod`
    return json.dumps({"deflated": base64.b85encode(zlib.compress(text.encode(), level=9)).decode()})


def _inflate(text: str) -> bytes:
    return zlib.decompressobj().decompress(base64.b85decode(text), max_length=_INFLATED_LIMIT_BYTES)


def _shortened(outcome: Outcome) -> Outcome:
    if isinstance(outcome, Failure):
        kept = outcome.message.removesuffix(_CUT)
        return replace(outcome, message=kept[: len(kept) * 3 // 4] + _CUT)
    if isinstance(outcome, EvalResult) and outcome.unscored_reason:
        return replace(outcome, unscored_reason=outcome.unscored_reason[:-_CUT_AT_ONCE])
    if isinstance(outcome, EvalResult) and outcome.benchmarks:
        return replace(outcome, benchmarks=outcome.benchmarks[:-1])
    if isinstance(outcome, BlendResult) and outcome.warnings:
        return replace(outcome, warnings=outcome.warnings[:-1])
    raise MessageError(f"the {type(outcome).__name__} is larger than {MESSAGE_LIMIT_BYTES} bytes")


def _fits(text: str) -> bool:
    return len(text.encode()) <= MESSAGE_LIMIT_BYTES


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return codec.encode(float(f"{value:.6g}"))
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value
