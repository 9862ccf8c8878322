"""Asks an OpenAI-compatible server for judgements, in a form that it takes."""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus

from blendtune_eval.api_client import NOT_UNDERSTOOD, ApiClient, CallFailed, Limits
from blendtune_eval.cache import Judgement
from blendtune_eval.judging.completion import Completion, read_completion
from blendtune_eval.judging.endpoint import Endpoint
from blendtune_eval.judging.judge_prompt import JudgeRequest
from blendtune_eval.judging.judge_reply import UnreadableReply, verdicts_of
from blendtune_eval.judging.request_form import RequestForm, after_refusal
from blendtune_eval.judging.token_limit import fewer_tokens
from blendtune_eval.server_words import http_failure, parameters_named, refuses_system, words_of

_ELSEWHERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
_MOST_LOWERINGS = 4  # of the limit on tokens, for one request


class JudgeClient(ApiClient):
    """The client of one judge model at one server. It learns from the first reply how the server is asked."""

    def __init__(self, url: str, model: str, key: str, limits: Limits) -> None:
        self._endpoint = Endpoint.of(url)
        super().__init__(self._endpoint.urls[0], key, limits)
        self.address(self._endpoint.urls[0], self._endpoint.key_headers[0])
        self._model = model
        self._form = RequestForm()
        self._settled = False

    async def ask(self, request: JudgeRequest) -> Judgement:
        """The judgement of one request. Raises CallFailed where the server gives none."""
        return await self.persist(self._ask_once, request)

    async def _ask_once(self, request: JudgeRequest) -> Judgement:
        """Asks, and once more in each plainer form while the reply cannot be read. Raises CallFailed."""
        form = self._form
        while True:
            completion, form, most_tokens = await self._complete(request, form)
            try:
                found = verdicts_of(
                    completion, request.criteria, form.style, request.case.answer, most_tokens
                )
            except UnreadableReply as error:
                following = form.with_room if error.thinking else form.plainer
                if following is None:
                    raise CallFailed(str(error)) from error
                form = following
            else:
                self._learn(form)
                return Judgement(
                    met=found.met,
                    reasons=found.reasons,
                    declines=found.declines,
                    form=str(form),
                    served=completion.served,
                )

    async def _complete(
        self, request: JudgeRequest, form: RequestForm
    ) -> tuple[Completion, RequestForm, int]:
        """A completion, with the form and the limit on tokens in which the server took the request.

        Raises CallFailed where it takes none.
        """
        tried, refused, merged = {form}, set(form.refused), form.merged
        most_tokens, lowered = form.most_tokens(request.max_tokens), 0
        while True:
            status, body = await self.post(self._body(request, form, most_tokens))
            if status == HTTPStatus.OK:
                self._form = self._form.taught_by(form)
                return read_completion(body), form, most_tokens
            if self._address_otherwise(status):
                continue
            if not merged and refuses_system(body):
                merged, form = True, replace(form, merged=True)
                tried.add(form)
                continue
            if status not in NOT_UNDERSTOOD:
                raise CallFailed(http_failure(status, body), status=status)
            fewer = fewer_tokens(words_of(body), most_tokens)
            if fewer is not None and lowered < _MOST_LOWERINGS:
                most_tokens, lowered = min(fewer, most_tokens // 2) if lowered else fewer, lowered + 1
                continue
            named = parameters_named(body, form.parameters(most_tokens, {}))
            following = after_refusal(form, named, refused, tried, settled=self._settled, merged=merged)
            refused |= named
            if following is None:
                raise CallFailed(http_failure(status, body), status=status)
            if following.most_tokens(0) != form.most_tokens(0):
                most_tokens = following.most_tokens(request.max_tokens)
            form = following
            tried.add(form)

    def _body(self, request: JudgeRequest, form: RequestForm, most_tokens: int) -> bytes:
        messages = request.messages(form.style, merged=form.merged)
        asked = {"model": self._model, "messages": messages, "stream": False}
        return json.dumps(asked | form.parameters(most_tokens, request.schema)).encode()

    def _learn(self, form: RequestForm) -> None:
        """Keeps the form of the first reply that could be read; a plainer one later changes nothing."""
        if not self._settled:
            self._form, self._settled = form, True

    def _address_otherwise(self, status: int) -> bool:
        """Whether there is another path, or another header for the key, to try after this status."""
        if self._settled:
            return False
        if status in _ELSEWHERE and self._endpoint.elsewhere is not None:
            self._endpoint = self._endpoint.elsewhere
        elif status == HTTPStatus.UNAUTHORIZED and self._key and self._endpoint.with_other_header is not None:
            self._endpoint = self._endpoint.with_other_header
        else:
            return False
        self.address(self._endpoint.urls[0], self._endpoint.key_headers[0])
        return True
