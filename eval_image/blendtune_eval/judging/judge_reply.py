"""Reads the verdicts in a judge model's reply."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from blendtune_eval.judging.completion import Completion
from blendtune_eval.judging.request_form import ReplyStyle
from blendtune_eval.one_line import one_line
from blendtune_eval.rules.reply import read_reply

_BLOCK = re.compile(r"(?m)^[ \t]*(?:`{1,3}\w*[ \t]*)?(?=\{)")  # where an object begins a line or a fence
_BLOCK_END = re.compile(r"[ \t]*`{0,3}[ \t]*(?:\n|\Z)")
_LINE = re.compile(r"(?im)^[^\w\n]*(\d+)[^\w\n]*(yes|no)\b(?:[^\w\n]*|[*_` \t]*[-–—(;:][^\n]*)$")
_WORDS = {"true": True, "false": False}
_NO_REASON = "asked for yes or no alone"


class UnreadableReply(Exception):
    """A reply that does not hold the verdicts. The message says why. `thinking`: it was cut in thought."""

    def __init__(self, message: str, *, thinking: bool = False) -> None:
        super().__init__(message)
        self.thinking = thinking


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdicts:
    met: Mapping[str, bool]
    reasons: Mapping[str, str]
    declines: bool


def verdicts_of(
    completion: Completion, criteria: Sequence[str], style: ReplyStyle, answer: str, most_tokens: int
) -> Verdicts:
    """The verdicts in a completion. Raises UnreadableReply, also for one that was cut.

    Some servers put everything into the field of thoughts: it is taken for the reply where it is nothing but
    the object. No verdict is taken from a sentence, nor one that stands in the judged answer: it may be a
    quote.
    """
    text = completion.text if completion.text.strip() else completion.reasoning.strip()
    said = read_reply(text)
    if completion.cut:
        thinking = said.unfinished or "{" not in said.said
        raise UnreadableReply(f"the judge's reply was cut at {most_tokens} tokens", thinking=thinking)
    if not text:
        raise UnreadableReply("the judge's reply holds no text")
    if not completion.text.strip() and not text.startswith(("{", "`", "<")):
        raise UnreadableReply("the judge's reply holds no text but its thoughts")
    if style is ReplyStyle.LINES and (lines := _lines(said.said, len(criteria) + 1)):
        if _lines(answer, len(criteria) + 1) == lines:
            raise UnreadableReply("the judge's reply repeats what stands in the answer")
        *met, declines = lines
        return Verdicts(
            met=dict(zip(criteria, met, strict=True)),
            reasons=dict.fromkeys(criteria, _NO_REASON),
            declines=declines,
        )
    return _in_json(text, said.said, criteria, answer)


def _in_json(text: str, said: str, criteria: Sequence[str], answer: str) -> Verdicts:
    """The verdicts in the only JSON object of a reply; `said` is the reply without its thoughts."""
    try:
        document = _only_object(text, said)
        if _holds(answer, document):
            raise UnreadableReply("it repeats what stands in the answer")
        return _verdicts(document, criteria)
    except UnreadableReply as error:
        raise UnreadableReply(f"the judge's reply is malformed: {error}") from error


def _only_object(text: str, said: str) -> dict[str, Any]:
    """The object that the reply is, else the only one in a block of its own after the thoughts."""
    try:
        whole = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict):
        return whole
    found = list(_objects(said))
    if len(found) != 1:
        raise UnreadableReply("the reply is no single JSON object")
    return found[0]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text that stand in a block of their own: on lines of their own, or in a fence."""
    start, decoder = 0, json.JSONDecoder(object_pairs_hook=_unique)
    while (begin := _BLOCK.search(text, start)) is not None:
        try:
            document, start = decoder.raw_decode(text, begin.end())
        except (ValueError, RecursionError):
            start = begin.end() + 1
            continue
        if _BLOCK_END.match(text, start):
            yield document


def _holds(answer: str, document: Mapping[str, Any]) -> bool:
    """Whether the object stands anywhere in an answer."""
    decoder = json.JSONDecoder()
    for begin in re.finditer(r"\{", answer):
        with suppress(ValueError, RecursionError):
            if decoder.raw_decode(answer, begin.start())[0] == document:
                return True
    return False


def _verdicts(document: Mapping[str, Any], criteria: Sequence[str]) -> Verdicts:
    """The verdicts of an object of the requested form. What it holds besides is not read."""
    _expect_keys("the reply", document, ("criteria", "declines"))
    found = document["criteria"]
    if not isinstance(found, dict):
        raise UnreadableReply("criteria is no object")
    _expect_keys("criteria", found, criteria)
    met, reasons = {}, {}
    for name in criteria:
        verdict = found[name]
        if not isinstance(verdict, dict):
            raise UnreadableReply(f"the verdict on {name} is no object")
        _expect_keys(f"the verdict on {name}", verdict, ("met",))
        met[name] = _boolean(verdict["met"], name)
        reason = verdict.get("reason")
        reasons[name] = one_line(reason) if isinstance(reason, str) else ""
    return Verdicts(met=met, reasons=reasons, declines=_boolean(document["declines"], "declines"))


def _lines(text: str, count: int) -> list[bool]:
    """Yes or no for each number from 1 to `count`; empty where a number lacks or stands twice."""
    found = [(int(number), word.lower() == "yes") for number, word in _LINE.findall(text)]
    if [number for number, _ in found] != list(range(1, count + 1)):
        return []
    return [word for _, word in found]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise UnreadableReply("a name stands twice in the reply")
    return dict(pairs)


def _expect_keys(what: str, found: Mapping[str, Any], expected: Sequence[str]) -> None:
    missing = sorted(set(expected) - set(found))
    if missing:
        raise UnreadableReply(f"{what} lacks {', '.join(missing)}")


def _boolean(value: Any, name: str) -> bool:
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower())
    if not isinstance(value, bool):
        raise UnreadableReply(f"the verdict on {name} is neither true nor false")
    return value
