"""In which form a server is asked, and how the form changes where the server refuses it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

SEED = 20231007
TOKENS_OF_THOUGHT = 16_384  # more room for models that reason first, within the same limit
_EXTENSIONS: Mapping[str, Any] = {"top_k": -1, "min_p": 0, "repetition_penalty": 1}  # of vLLM
_STANDARD: Mapping[str, Any] = {
    "temperature": 0,
    "top_p": 1,
    "n": 1,
    "seed": SEED,
    "presence_penalty": 0,
    "frequency_penalty": 0,
}
_LIMITS = ("max_tokens", "max_completion_tokens")
_SCHEMA = "response_format"


class ReplyStyle(StrEnum):
    """What the judge is asked to reply with, from the strictest to the plainest."""

    SCHEMA = "JSON schema"
    JSON = "plain JSON"
    LINES = "yes or no, line by line"


@dataclass(frozen=True, slots=True)
class RequestForm:
    """What a request contains. Every sampling parameter that the server takes is sent: defaults differ."""

    style: ReplyStyle = ReplyStyle.SCHEMA
    left_out: frozenset[str] = frozenset()  # parameters that the server refused
    thinks: bool = False  # the judge needs more room than its reply
    merged: bool = False  # the instructions stand in the question: the model takes no system message

    @property
    def limit(self) -> str | None:
        """The parameter that limits the reply."""
        return next((name for name in _LIMITS if name not in self.left_out), None)

    def most_tokens(self, of_reply: int) -> int:
        """The limit to ask for. Models that take no temperature or no max_tokens reason first."""
        reasons = self.thinks or bool({"temperature", "max_tokens"} & self.left_out)
        return of_reply + TOKENS_OF_THOUGHT * reasons

    def parameters(self, most_tokens: int, schema: Mapping[str, Any]) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        if self.limit is not None:
            chosen[self.limit] = most_tokens
        chosen |= {k: v for k, v in (*_STANDARD.items(), *_EXTENSIONS.items()) if k not in self.left_out}
        if self.style is ReplyStyle.SCHEMA:
            verdicts = {"name": "verdicts", "strict": True, "schema": schema}
            chosen[_SCHEMA] = {"type": "json_schema", "json_schema": verdicts}
        return chosen

    def without(self, names: Collection[str]) -> RequestForm:
        """The form without parameters that were refused by their names."""
        style = ReplyStyle.JSON if _SCHEMA in names and self.style is ReplyStyle.SCHEMA else self.style
        return replace(self, style=style, left_out=self.left_out.union(names) - {_SCHEMA})

    @property
    def refused(self) -> frozenset[str]:
        """The parameters that it does without, the schema among them."""
        return self.left_out if self.style is ReplyStyle.SCHEMA else self.left_out | {_SCHEMA}

    @property
    def plainer(self) -> RequestForm | None:
        """The form that asks for a plainer reply; None if there is none."""
        styles = tuple(ReplyStyle)
        following = styles[styles.index(self.style) + 1 :]
        return replace(self, style=following[0]) if following else None

    @property
    def with_room(self) -> RequestForm | None:
        """The form with room to think, else a plainer one; None if there is neither."""
        return self.plainer if self.thinks else replace(self, thinks=True)

    def taught_by(self, other: RequestForm) -> RequestForm:
        """The form without what the server has refused in another one, and with the room that it needed."""
        return replace(
            self,
            left_out=self.left_out | other.left_out,
            thinks=self.thinks or other.thinks,
            merged=self.merged or other.merged,
        )

    def __str__(self) -> str:
        return f"{self._parameters}, without a system message" if self.merged else self._parameters

    @property
    def _parameters(self) -> str:
        missing = [name for name in _STANDARD if name in self.left_out]
        if len(missing) == len(_STANDARD):
            return f"{self.style}, without sampling parameters"
        if missing:
            return f"{self.style}, without {', '.join(missing)}"
        if self.left_out.issuperset(_EXTENSIONS):
            return self.style.value
        return f"{self.style}, with the sampling parameters of vLLM"


_NO_EXTENSIONS = frozenset(_EXTENSIONS)
_NO_SAMPLING = _NO_EXTENSIONS | frozenset(_STANDARD)

# Tried in turn where a server refuses a form and does not say what of it.
LADDER = (
    RequestForm(),
    RequestForm(left_out=_NO_EXTENSIONS),
    RequestForm(left_out=_NO_EXTENSIONS | {"seed"}),
    RequestForm(style=ReplyStyle.JSON, left_out=_NO_EXTENSIONS),
    RequestForm(left_out=_NO_SAMPLING | {"max_tokens"}),
    RequestForm(style=ReplyStyle.JSON, left_out=_NO_SAMPLING - {"temperature"}),
    RequestForm(style=ReplyStyle.JSON, left_out=_NO_SAMPLING.union(_LIMITS)),
    RequestForm(style=ReplyStyle.JSON, left_out=_NO_SAMPLING - {"temperature"}, merged=True),
)


def after_refusal(
    form: RequestForm,
    named: Collection[str],
    refused: Collection[str],
    tried: Collection[RequestForm],
    *,
    settled: bool,
    merged: bool,
) -> RequestForm | None:
    """The form to try next; None where there is none.

    `named` are the parameters that the refusal names, `refused` those that earlier ones named; `merged` says
    that one named the system message. Where the server has already understood the form (`settled`), it is
    this request's schema or text that it refuses: it is asked once without schema.
    """
    if named:
        return form.without(named)
    if settled:
        return form.without({_SCHEMA}) if form.style is ReplyStyle.SCHEMA else None
    rungs = (
        replace(rung.without(refused), thinks=form.thinks, merged=rung.merged or merged) for rung in LADDER
    )
    if form.style is ReplyStyle.LINES:
        rungs = (replace(rung, style=ReplyStyle.LINES) for rung in rungs)
    return next((rung for rung in rungs if rung not in tried), None)
