"""How a judge's server is asked: in which form, how often and how long."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.eval.conftest import LIMITS, Ask, case
from tests.eval.judge_behaviours import (
    after_anchors,
    error,
    hang,
    once,
)
from tests.eval.judge_server import Call, JudgeServer

from blendtune_api.contract import ExitCode
from blendtune_eval.judging.anchors import ANCHORS
from blendtune_eval.judging.judge import Case
from blendtune_eval.judging.request_form import LADDER
from blendtune_eval.rubric import Rubric
from blendtune_runtime.errors import StageError

SAMPLING = {
    "temperature": 0,
    "top_p": 1,
    "top_k": -1,
    "min_p": 0,
    "n": 1,
    "seed": 20231007,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "repetition_penalty": 1,
}


def test_every_sampling_parameter_is_sent(ask: Ask, server: JudgeServer, right: Case) -> None:
    ask(right)
    for body in server.bodies:
        sampling = {name: value for name, value in body.items() if name in SAMPLING}
        assert sampling == SAMPLING
        assert (body["model"], body["stream"]) == ("judge-8b", False)
        assert body["response_format"]["json_schema"]["strict"] is True
    assert right.question.reference in server.bodies[-1]["messages"][1]["content"]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(ask: Ask, server: JudgeServer, right: Case, form: str) -> None:
    times: list[float] = []

    def behave(call: Call) -> None:
        times.append(time.monotonic())
        moment = datetime.now(UTC) + timedelta(seconds=2)  # a date has no fractions: between 1 and 2 seconds
        header = "1" if form == "seconds" else format_datetime(moment, usegmt=True)
        once(error(429, Retry_After=header))(call)

    server.behaviour = after_anchors(behave)
    assert ask(right).scores[0].score == 1.0
    assert times[1] - times[0] >= 1.0


def test_more_patience_than_there_is_time_is_not_had(ask: Ask, server: JudgeServer, right: Case) -> None:
    server.behaviour = after_anchors(error(429, Retry_After="3600"))
    assert ask(right).scores[0].score is None
    assert len(server.bodies) == len(ANCHORS) + 1


def test_all_calls_end_with_the_total_deadline(ask: Ask, server: JudgeServer, rubric: Rubric) -> None:
    server.behaviour = after_anchors(hang)
    cases = [case(rubric, "refund", f"{days} days") for days in range(40)]
    begin = time.monotonic()
    judged = ask(*cases, limits=replace(LIMITS, total=1.0, concurrency=2))
    assert time.monotonic() - begin < 10
    assert all(score.score is None for score in judged.scores)
    assert any("the time for all calls" in score.unscored for score in judged.scores)


def test_no_more_calls_at_once_than_allowed(ask: Ask, server: JudgeServer, rubric: Rubric) -> None:
    open_calls, most = 0, 0

    def behave(call: Call) -> None:
        nonlocal open_calls, most
        open_calls += 1
        most = max(most, open_calls)
        call.stopping.wait(0.02)
        open_calls -= 1
        call.be_honest()

    server.behaviour = behave
    ask(
        *(case(rubric, "refund", f"{days} days") for days in range(20)), limits=replace(LIMITS, concurrency=3)
    )
    assert 1 < most <= 3


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(
    ("refused", "shown", "in_vain"),
    [
        pytest.param(("top_k",), "by JSON schema.", 1, id="extensions"),
        pytest.param(("top_k", "response_format"), "by plain JSON.", 3, id="schema"),
        pytest.param(("max_tokens",), "by JSON schema, without sampling parameters.", 4, id="max_tokens"),
        pytest.param(("temperature",), "by JSON schema, without sampling parameters.", 4, id="temperature"),
    ],
)
def test_a_server_is_asked_in_the_form_that_it_understands(
    ask: Ask,
    server: JudgeServer,
    right: Case,
    wrong: Case,
    status: int,
    refused: tuple[str, ...],
    shown: str,
    in_vain: int,
) -> None:
    def behave(call: Call) -> None:
        if call.body.keys() & set(refused):
            error(status, "unknown")(call)
        else:
            call.be_honest()

    server.behaviour = behave
    judged = ask(right, wrong)
    assert [score.score for score in judged.scores] == [1.0, 0.0]
    assert shown in judged.statement
    assert len(server.bodies) == len(ANCHORS) + 2 + in_vain  # found out once


def test_a_model_without_sampling_parameters_gets_room_to_think(
    ask: Ask, server: JudgeServer, right: Case
) -> None:
    server.behaviour = lambda call: (
        error(400, "Unsupported parameter")(call)
        if SAMPLING.keys() & call.body.keys()
        else call.say(json.dumps(call.verdicts), "stop" if call.is_anchor else "length")
    )
    (score,) = ask(right).scores
    body = server.bodies[-1]
    assert not SAMPLING.keys() & body.keys()
    assert body["max_completion_tokens"] > server.bodies[0]["max_tokens"]
    assert f"was cut at {body['max_completion_tokens']} tokens" in score.unscored


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_that_understands_no_form_ends_the_run(
    ask: Ask, server: JudgeServer, right: Case, status: int
) -> None:
    server.behaviour = error(status, "Unsupported parameter: 'messages'")
    with pytest.raises(StageError, match=r"in any known form: HTTP 4.* 'messages'") as caught:
        ask(right)
    assert caught.value.exit_code is ExitCode.BAD_CONFIGURATION
    assert len(server.bodies) == len(LADDER)
