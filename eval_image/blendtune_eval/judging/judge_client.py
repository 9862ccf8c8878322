"""Asks an OpenAI-compatible server for judgements."""

from __future__ import annotations

import json
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from blendtune_eval.api_client import NOT_UNDERSTOOD, ApiClient, CallFailed, Limits, http_failure
from blendtune_eval.cache import Judgement
from blendtune_eval.judging.judge_prompt import JudgeRequest, MalformedReply, read_reply
from blendtune_eval.one_line import one_line

SEED = 20231007
_TOKENS_OF_THOUGHT = 16_384  # models that refuse sampling parameters reason first, within the same limit


class RequestForm(StrEnum):
    """What a request contains. A server that does not understand one form is asked in the next."""

    SCHEMA_AND_EXTENSIONS = "JSON schema, with the sampling parameters of vLLM"
    SCHEMA = "JSON schema"
    PLAIN = "plain JSON"
    WITHOUT_SAMPLING = "JSON schema, without sampling parameters"


class JudgeClient(ApiClient):
    """The client of one judge model at one server."""

    def __init__(self, url: str, model: str, key: str, limits: Limits) -> None:
        super().__init__(f"{url.rstrip('/')}/chat/completions", key, limits)
        self._model = model
        self._forms = tuple(RequestForm)

    def settle(self, form: str) -> None:
        """Asks in this form from now on, and in those after it where the server does not understand it."""
        self._forms = self._forms[self._forms.index(RequestForm(form)) :]

    async def ask(self, request: JudgeRequest) -> Judgement:
        """The judgement of one request. Raises CallFailed where the server gives none."""
        return await self.persist(self._ask_once, request)

    async def _ask_once(self, request: JudgeRequest) -> Judgement:
        for form in self._forms:
            status, body = await self.post(self._body(request, form))
            if status not in NOT_UNDERSTOOD or form is self._forms[-1]:
                break
        if status != HTTPStatus.OK:
            raise CallFailed(http_failure(status, body), status=status)
        return _judgement(body, request, form)

    def _body(self, request: JudgeRequest, form: RequestForm) -> bytes:
        """The JSON of a request. Every sampling parameter that the form allows is sent: defaults differ."""
        body: dict[str, Any] = {"model": self._model, "messages": request.messages, "stream": False}
        if form is RequestForm.WITHOUT_SAMPLING:
            body |= {"max_completion_tokens": _most_tokens(request, form)}
        else:
            body |= {
                "max_tokens": _most_tokens(request, form),
                "temperature": 0,
                "top_p": 1,
                "n": 1,
                "seed": SEED,
                "presence_penalty": 0,
                "frequency_penalty": 0,
            }
        if form is not RequestForm.PLAIN:
            schema = {"name": "verdicts", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if form is RequestForm.SCHEMA_AND_EXTENSIONS:
            body |= {"top_k": -1, "min_p": 0, "repetition_penalty": 1}
        return json.dumps(body).encode()


def _most_tokens(request: JudgeRequest, form: RequestForm) -> int:
    return request.max_tokens + (_TOKENS_OF_THOUGHT if form is RequestForm.WITHOUT_SAMPLING else 0)


def _judgement(body: bytes, request: JudgeRequest, form: RequestForm) -> Judgement:
    """The judgement in a completion. Raises CallFailed, also for one that was refused, filtered or cut."""
    try:
        document = json.loads(body)
        (choice,) = document["choices"]
        message = choice["message"]
        text, refusal, finish = message.get("content"), message.get("refusal"), choice.get("finish_reason")
        served = document.get("model")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise CallFailed("the response is no chat completion with one choice", again=True) from error
    if refusal:
        raise CallFailed(f"the judge refused: {one_line(str(refusal))}")
    if finish == "content_filter":
        raise CallFailed("the server's content filter stopped the judge")
    if finish == "length":
        raise CallFailed(f"the judge's reply was cut at {_most_tokens(request, form)} tokens")
    if not isinstance(text, str):
        raise CallFailed("the judge's reply holds no text", again=True)
    try:
        reply = read_reply(text, request.criteria)
    except MalformedReply as error:
        raise CallFailed(f"the judge's reply is malformed: {error}", again=True) from error
    return Judgement(
        met=reply.met,
        reasons=reply.reasons,
        declines=reply.declines,
        form=form.value,
        served=one_line(served) if isinstance(served, str) else "",
    )
