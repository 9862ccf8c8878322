"""The termination message: an outcome as JSON, small enough that the kubelet does not truncate it."""

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
    RehearseResult,
    RubricResult,
    TrainResult,
)
from blendtune_api.v1alpha1 import InterpolationStatus

MESSAGE_LIMIT_BYTES = 4096  # what the kubelet keeps of a termination message
_INFLATED_LIMIT_BYTES = 1_000_000
_CUT = " [...]"
_CUT_STEP = 50  # characters that are cut at a time
_OUTCOMES: dict[str, type[Outcome]] = {
    kind.__name__: kind
    for kind in (RubricResult, RehearseResult, BlendResult, TrainResult, EvalResult, Failure)
}


class MessageError(ValueError):
    """A termination message that is empty, truncated or of another kind."""


def encode_message(outcome: Outcome) -> str:
    """The outcome as compact JSON of at most MESSAGE_LIMIT_BYTES; floats keep six significant digits.

    An outcome that is too large is compressed, except a Failure, which stays readable. If that is not enough,
    the message of a Failure and the unscored reason of an EvalResult are truncated, and trailing warnings and
    bad rows of a BlendResult (bad_rows.jsonl has them all) and, of an EvalResult, trailing benchmarks,
    candidates that were not taken and the first epochs beside those (the report has them all) are dropped.

    Raises MessageError if the outcome is still too large.
    """
    text = _message_text(outcome)
    while not _fits(text):
        outcome = _shortened(outcome)
        text = _message_text(outcome)
    return text


def decode_message(text: str) -> Outcome:
    """The outcome that a container left. Raises MessageError if the text holds none.

    Unknown fields are ignored: the image may be newer than the operator. Values that no status may have are
    refused: the image may be anybody's.
    """
    try:
        document = json.loads(text)
        if "deflated" in document:
            document = json.loads(_inflate(document["deflated"]))
        kind = _OUTCOMES[document["kind"]]
        return codec.decode(kind, document["result"], lenient=True, within_bounds=True)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error) as error:
        raise MessageError(f"no outcome in the termination message: {error}") from error


def _message_text(outcome: Outcome) -> str:
    body = {"kind": type(outcome).__name__, "result": _rounded(codec.encode(outcome))}
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    text = text.encode(errors="replace").decode()  # file names may hold bytes that are not valid UTF-8
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
        return replace(outcome, unscored_reason=outcome.unscored_reason[:-_CUT_STEP])
    if isinstance(outcome, EvalResult) and len(outcome.unsure) > 1:
        return replace(outcome, unsure=outcome.unsure[:-1])
    if isinstance(outcome, EvalResult) and outcome.benchmarks:
        return replace(outcome, benchmarks=outcome.benchmarks[:-1])
    if (
        isinstance(outcome, EvalResult)
        and outcome.interpolation
        and len(outcome.interpolation.candidates) > 2
    ):
        return replace(outcome, interpolation=_fewer_candidates(outcome.interpolation))
    if isinstance(outcome, EvalResult) and outcome.interpolation and outcome.epochs:
        return replace(outcome, epochs=outcome.epochs[1:])
    if isinstance(outcome, BlendResult) and outcome.warnings:
        return replace(outcome, warnings=outcome.warnings[:-1])
    if isinstance(outcome, BlendResult) and outcome.bad_rows:
        return replace(outcome, bad_rows=outcome.bad_rows[:-1])
    raise MessageError(f"the {type(outcome).__name__} is larger than {MESSAGE_LIMIT_BYTES} bytes")


def _fewer_candidates(interpolation: InterpolationStatus) -> InterpolationStatus:
    """Without the first candidate that is neither the one that was taken nor the tuned model."""
    *others, tuned = interpolation.candidates
    left_out = next(each for each in others if each.weight != interpolation.weight)
    kept = (*(each for each in others if each is not left_out), tuned)
    return replace(interpolation, candidates=kept)


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
