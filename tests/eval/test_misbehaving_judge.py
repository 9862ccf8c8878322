"""A judge's server that misbehaves: a right score, or none and the reason; never a wrong one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.eval.conftest import LIMITS, Ask
from tests.eval.judge_behaviours import (
    after_anchors,
    altered,
    completion,
    cut,
    drip,
    drip_body,
    drop,
    error,
    hang,
    html_page,
    huge,
    once,
    says,
    with_another_criterion,
    with_verdict,
)
from tests.eval.judge_server import Behaviour, JudgeServer, reply

from blendtune_eval.judging.anchors import ANCHORS
from blendtune_eval.judging.judge import Case

ALL_MET = reply({"thirty-days": True, "promises-forever": False})


DOUBLE = (
    '{"criteria": {"thirty-days": {"reason": "", "met": false}, "thirty-days": {"reason": "", "met": true}}}'
)


MISBEHAVIOURS = [
    pytest.param(error(500), "HTTP 500 Internal Server Error", id="500"),
    pytest.param(error(503, "model is loading"), "HTTP 503 Service Unavailable: model is loading", id="503"),
    pytest.param(error(429, "slow down"), "HTTP 429 Too Many Requests: slow down", id="429"),
    pytest.param(error(429, Retry_After="0"), "HTTP 429", id="429-with-retry-after"),
    pytest.param(error(429, Retry_After="3600"), "HTTP 429", id="429-that-asks-for-too-long"),
    pytest.param(error(429, Retry_After="soon"), "HTTP 429", id="429-with-nonsense"),
    pytest.param(error(400, "context of 4096 tokens"), "HTTP 400 Bad Request: context of 4096", id="400"),
    pytest.param(error(418), "HTTP 418", id="418"),
    pytest.param(error(299), "HTTP 299", id="299"),
    pytest.param(lambda call: call.respond(204, ""), "HTTP 204 No Content", id="204"),
    pytest.param(html_page(200), "no chat completion", id="html-page-with-200"),
    pytest.param(html_page(502), "HTTP 502 Bad Gateway", id="html-page-with-502"),
    pytest.param(hang, "no reply within", id="no-reply"),
    pytest.param(drip, "no reply within", id="headers-that-never-end"),
    pytest.param(drip_body, "no reply within", id="a-body-that-never-ends"),
    pytest.param(cut, "the connection failed", id="cut-midway"),
    pytest.param(drop, "the connection failed", id="dropped"),
    pytest.param(huge, "larger than", id="huge"),
    pytest.param(lambda call: call.respond(200, "[" * 100_000), "no chat completion", id="deeply-nested"),
    pytest.param(lambda call: call.respond(200, b"\xff\xfe\x00"), "no chat completion", id="not-utf-8"),
    pytest.param(completion({"choices": []}), "no chat completion", id="empty-choices"),
    pytest.param(completion({"choices": None}), "no chat completion", id="no-choices"),
    pytest.param(completion([1]), "no chat completion", id="a-list"),
    pytest.param(completion({"choices": [{"message": None}]}), "no chat completion", id="no-message"),
    pytest.param(completion({"error": {"message": "busy"}}), "an error: busy", id="error-with-200"),
    pytest.param(says(None), "no text", id="null-text"),
    pytest.param(says([{"type": "image_url"}]), "no text", id="parts-without-text"),
    pytest.param(says(""), "no text", id="empty-text"),
    pytest.param(says(json.dumps(ALL_MET), "length"), "was cut at", id="cut-at-the-token-limit"),
    pytest.param(says(json.dumps(ALL_MET), "content_filter"), "content filter", id="filtered"),
    pytest.param(says(None, refusal="I won't judge that."), "refused: I won't", id="refusal"),
    pytest.param(says(json.dumps(ALL_MET)[:-2]), "no single JSON object", id="truncated-json"),
    pytest.param(says(json.dumps(ALL_MET) * 2), "no single JSON object", id="two-verdicts"),
    pytest.param(says("They say: " + json.dumps(ALL_MET)), "no single JSON object", id="score-in-a-quote"),
    pytest.param(says(f"{json.dumps(ALL_MET)}: not so."), "no single JSON object", id="verdict-in-a-line"),
    pytest.param(says("true"), "no single JSON object", id="a-bare-boolean"),
    pytest.param(says(DOUBLE), "stands twice", id="a-name-twice"),
    pytest.param(with_verdict(met="maybe"), "neither true nor false", id="boolean-as-text"),
    pytest.param(with_verdict(met=1), "neither true nor false", id="boolean-as-number"),
    pytest.param(with_verdict(met=None), "neither true nor false", id="boolean-as-null"),
    pytest.param(altered(lambda said: said | {"declines": "no"}), "neither true", id="declines-as-text"),
    pytest.param(altered(lambda said: said | {"criteria": []}), "no object", id="criteria-as-list"),
    pytest.param(altered(lambda said: {"criteria": said["criteria"]}), "lacks declines", id="no-declines"),
    pytest.param(
        altered(lambda said: said | {"criteria": {"thirty-days": said["criteria"]["thirty-days"]}}),
        "lacks promises-forever",
        id="a-criterion-missing",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("behaviour", "reason"), MISBEHAVIOURS)
def test_a_misbehaving_server_leaves_answers_unscored(
    ask: Ask, server: JudgeServer, right: Case, wrong: Case, behaviour: Behaviour, reason: str
) -> None:
    server.behaviour = after_anchors(behaviour)
    begin = time.monotonic()
    judged = ask(right, wrong, limits=replace(LIMITS, call=0.3))
    assert time.monotonic() - begin < 30
    for score in judged.scores:
        assert (score.score, score.outcome, score.critical_error) == (None, None, False)
        assert reason in score.unscored
        assert len(score.unscored) < 500
        assert score.unscored.isprintable()
    assert max(server.asked.values()) <= 1 + LIMITS.retries + 2  # a form that is refused is not tried again


@pytest.mark.parametrize(("behaviour", "reason"), MISBEHAVIOURS)
def test_what_passes_leaves_a_right_score_or_none(
    ask: Ask, server: JudgeServer, right: Case, wrong: Case, behaviour: Behaviour, reason: str
) -> None:
    server.behaviour = after_anchors(once(behaviour))
    judged = ask(right, wrong, limits=replace(LIMITS, call=0.3))
    for score, expected in zip(judged.scores, (1.0, 0.0), strict=True):
        assert score.score == expected or (score.score is None and reason in score.unscored)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(error(500), id="500"),
        pytest.param(html_page(200), id="html-page"),
        pytest.param(hang, id="no-reply"),
        pytest.param(cut, id="cut-midway"),
        pytest.param(says(json.dumps(ALL_MET)), id="always-the-same"),
    ],
)
def test_a_server_that_misbehaves_from_the_start_is_not_asked_more(
    ask: Ask, server: JudgeServer, right: Case, behaviour: Behaviour
) -> None:
    server.behaviour = behaviour
    judged = ask(right, limits=replace(LIMITS, call=1.0, retries=1))
    assert judged.scores[0].score is None
    assert "missed 10 of 10 anchor answers" in judged.scores[0].unscored
    assert all(anchor.fault for anchor in judged.anchors)
    assert len(server.asked) <= 2 * len(ANCHORS)  # for JSON, and for lines


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(with_verdict(reason=3), id="reason-as-number"),
        pytest.param(with_verdict(score=10), id="a-field-too-many"),
        pytest.param(altered(lambda said: said | {"score": 1}), id="a-score-of-its-own"),
        pytest.param(altered(with_another_criterion), id="a-criterion-too-many"),
    ],
)
def test_what_was_not_asked_for_is_not_read(
    ask: Ask, server: JudgeServer, right: Case, wrong: Case, behaviour: Behaviour
) -> None:
    server.behaviour = after_anchors(behaviour)
    assert [score.score for score in ask(right, wrong).scores] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "score"),
    [
        pytest.param(lambda said: f"```json\n{said}\n```", 1.0, id="code-fence"),
        pytest.param(lambda said: f"\n\n  {said} \n", 1.0, id="blanks"),
        pytest.param(lambda said: f"<think>30 or {{40}}?</think>\n{said}", 1.0, id="thoughts"),
        pytest.param(
            lambda said: f'<think>It says "</think>{json.dumps(ALL_MET)}", hm.</think>{said}', 1.0, id="quote"
        ),
        pytest.param(
            lambda _: f"<think>It says </think>{json.dumps(ALL_MET)} and", None, id="lost-in-thought"
        ),
    ],
)
def test_harmless_wrappings_are_taken_off(
    ask: Ask, server: JudgeServer, right: Case, wrong: Case, text: Callable[[str], str], score: float | None
) -> None:
    server.behaviour = after_anchors(lambda call: call.say(text(json.dumps(call.verdicts))))
    expected = [None, None] if score is None else [1.0, 0.0]
    assert [judged.score for judged in ask(right, wrong).scores] == expected
