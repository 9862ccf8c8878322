"""Judges with a model behind an OpenAI-compatible API, which anchors check in each run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

from blendtune_api import v1alpha1
from blendtune_api.contract import digest_of
from blendtune_api.v1alpha1 import JudgeKind
from blendtune_eval.api_client import NOT_UNDERSTOOD, CallFailed, Limits, Unreachable
from blendtune_eval.cache import Judgement, JudgementCache
from blendtune_eval.judging.anchors import ALLOWED_MISSES, ANCHORS, Anchor
from blendtune_eval.judging.endpoint import address
from blendtune_eval.judging.judge import AnchorFinding, Case, Judgements
from blendtune_eval.judging.judge_client import JudgeClient
from blendtune_eval.judging.judge_prompt import PROMPT_VERSION, JudgeRequest
from blendtune_eval.rules.criteria import CriterionVerdict
from blendtune_eval.rules.reply import read_reply
from blendtune_eval.scoring.score import UNFINISHED, WordingScore, score_wording
from blendtune_runtime.errors import BadConfiguration, Transient

_FIELD = "spec.judge.openAI"
_PROGRESS_EVERY = 25  # answers


class OpenAI:
    """A model decides on each criterion, and the score follows from the rubric's points.

    The anchors are judged first: where too many verdicts on them are wrong, nothing is scored. Judgements are
    kept in `folder`. Those of answers are used by later runs; the anchors are judged again in each `run`.
    """

    kind = JudgeKind.OPENAI

    def __init__(
        self, spec: v1alpha1.OpenAIJudge, key: str, folder: Path, run: str, limits: Limits | None = None
    ) -> None:
        self._spec = spec
        self._key = key
        self._limits = limits or Limits()
        self._address = address(spec.url)
        self.digest = _digest(self._address, spec.model)
        self._judged = JudgementCache(folder, self.digest)
        self._anchored = JudgementCache(folder, digest_of([self.digest, run]))

    def judge_all(self, cases: Sequence[Case]) -> Judgements:
        """Raises BadConfiguration where the server refuses the key, the model or every form of request;
        Transient where no server answers.
        """
        return asyncio.run(self._judge_all(cases))

    async def _judge_all(self, cases: Sequence[Case]) -> Judgements:
        replies = [read_reply(case.answer) for case in cases]
        requests = [
            JudgeRequest(replace(case, answer=reply.said)) for case, reply in zip(cases, replies, strict=True)
        ]
        async with JudgeClient(self._spec.url, self._spec.model, self._key, self._limits) as client:
            anchors = await self._ask_anchors(client)
            findings = tuple(
                _finding(anchor, outcome) for anchor, outcome in zip(ANCHORS, anchors, strict=True)
            )
            if doubt := _doubt(findings):
                scores = tuple(WordingScore(unscored=doubt) for _ in cases)
            else:
                unfinished = WordingScore(unscored=UNFINISHED, unfinished=True)
                asked = [r for r, reply in zip(requests, replies, strict=True) if not reply.unfinished]
                outcomes = await self._ask_all(client, asked)
                scores = tuple(
                    unfinished if reply.unfinished else _score(request, outcomes)
                    for request, reply in zip(requests, replies, strict=True)
                )
        return Judgements(scores=scores, statement=self._statement(findings, anchors), anchors=findings)

    async def _ask_anchors(self, client: JudgeClient) -> list[Judgement | CallFailed]:
        """Judges the anchors: the first alone, to learn in which form the server is asked."""
        requests = [JudgeRequest(anchor.case) for anchor in ANCHORS]
        first = await self._ask(client, requests[0], self._anchored)
        if isinstance(first, CallFailed):
            self._refuse(first)
        rest = [self._ask(client, request, self._anchored) for request in requests[1:]]
        return [first, *await asyncio.gather(*rest)]

    async def _ask_all(
        self, client: JudgeClient, requests: Sequence[JudgeRequest]
    ) -> dict[str, Judgement | CallFailed]:
        """The outcome of each request by its key. Equal requests are sent once."""
        outcomes: dict[str, Judgement | CallFailed] = {}
        distinct = {request.key: request for request in requests if request.case.answer.strip()}

        async def ask(request: JudgeRequest) -> None:
            outcomes[request.key] = await self._ask(client, request, self._judged)
            if len(outcomes) % _PROGRESS_EVERY == 0 or len(outcomes) == len(distinct):
                print(f"judged {len(outcomes)}/{len(distinct)} distinct answers", flush=True)

        await asyncio.gather(*(ask(request) for request in distinct.values()))
        return outcomes

    async def _ask(
        self, client: JudgeClient, request: JudgeRequest, kept: JudgementCache
    ) -> Judgement | CallFailed:
        if (judgement := kept.get(request.key)) is not None:
            return judgement
        try:
            judgement = await client.ask(request)
        except CallFailed as failure:
            return failure
        kept.add({request.key: judgement})
        return judgement

    def _refuse(self, failure: CallFailed) -> None:
        """Raises BadConfiguration for what a person can correct, Transient where no server answers."""
        if isinstance(failure, Unreachable):
            raise Transient(f"{_FIELD}.url: the judge at {self._address} does not answer: {failure.reason}")
        if failure.status in (401, 403):
            raise BadConfiguration(
                f"{_FIELD}.apiKeySecretRef: the judge at {self._address} refuses "
                f"{'the key' if self._key else 'a call without a key'}: {failure.reason}"
            )
        if failure.status == HTTPStatus.NOT_FOUND:
            raise BadConfiguration(
                f"{_FIELD}: there is no model {self._spec.model} or no API at {self._address}: "
                f"{failure.reason}"
            )
        if failure.status == HTTPStatus.PAYMENT_REQUIRED:
            raise BadConfiguration(
                f"{_FIELD}: the judge at {self._address} asks for payment: {failure.reason}"
            )
        if failure.status in NOT_UNDERSTOOD:
            raise BadConfiguration(
                f"{_FIELD}: the judge at {self._address} refuses to ask {self._spec.model} in any known "
                f"form: {failure.reason}"
            )

    def _statement(self, findings: Sequence[AnchorFinding], anchors: Sequence[Judgement | CallFailed]) -> str:
        told = [outcome for outcome in anchors if isinstance(outcome, Judgement)]
        served = " or ".join(sorted({outcome.served for outcome in told} - {""}))
        form = f", by {told[0].form}" if told else ""
        right = sum(not finding.fault for finding in findings)
        return (
            f"the opinion of {self._spec.model} at {self._address}"
            f"{f', which served {served}' if served else ''}, prompt {PROMPT_VERSION}{form}. It agreed on "
            f"{right} of {len(findings)} anchor answers. How far it agrees with a person on this rubric, "
            "blendtune rubric grade tells."
        )


def _digest(address: str, model: str) -> str:
    anchors = [[JudgeRequest(anchor.case).key, sorted(anchor.met), anchor.declines] for anchor in ANCHORS]
    return digest_of([JudgeKind.OPENAI, address, model, PROMPT_VERSION, anchors])


def _finding(anchor: Anchor, outcome: Judgement | CallFailed) -> AnchorFinding:
    if isinstance(outcome, CallFailed):
        return AnchorFinding(name=anchor.name, fault=f"not judged: {outcome.reason}")
    wrong = [name for name, met in outcome.met.items() if met is not (name in anchor.met)]
    if outcome.declines is not anchor.declines:
        wrong.append("declines")
    return AnchorFinding(name=anchor.name, fault=f"wrong on {', '.join(wrong)}" if wrong else "")


def _doubt(findings: Sequence[AnchorFinding]) -> str:
    """Why the judge's verdicts are not used; empty where they are."""
    missed = [finding for finding in findings if finding.fault]
    if len(missed) <= ALLOWED_MISSES:
        return ""
    first = f"{missed[0].name}: {missed[0].fault}"
    return f"the judge missed {len(missed)} of {len(findings)} anchor answers, the first {first}"


def _score(request: JudgeRequest, outcomes: Mapping[str, Judgement | CallFailed]) -> WordingScore:
    """The score of one answer. An empty answer meets no criterion, and was not sent to the judge."""
    question = request.case.question
    outcome = outcomes.get(request.key)
    if isinstance(outcome, CallFailed):
        return WordingScore(unscored=outcome.reason)
    if outcome is None:
        outcome = Judgement(
            met=dict.fromkeys(request.criteria, False),
            reasons=dict.fromkeys(request.criteria, "the answer is empty"),
            declines=True,
        )
    verdicts = [
        CriterionVerdict(criterion=name, met=outcome.met[name], reason=outcome.reasons[name])
        for name in request.criteria
    ]
    return score_wording(question, verdicts, declined=outcome.declines)
