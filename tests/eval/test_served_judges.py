"""Judges in the ways in which they are served: what they say is read, or asked for in another form."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.eval.conftest import LIMITS, Ask
from tests.eval.judge_behaviours import after_anchors, error
from tests.eval.judge_server import Behaviour, Call, JudgeServer

from blendtune_eval.judging.anchors import ANCHORS
from blendtune_eval.judging.endpoint import address
from blendtune_eval.judging.judge import Case
from blendtune_eval.judging.openai_judge import OpenAI
from blendtune_runtime.errors import StageError

KEY = "0123456789abcdef0123456789abcdef"
Said = Callable[[str], Any]


def wrapped(text: Said, finish: str = "stop", **changes: Said) -> Behaviour:
    """An honest judge whose verdicts are said in another way."""

    def behave(call: Call) -> None:
        said = json.dumps(call.verdicts)
        call.say(text(said), finish, **{name: change(said) for name, change in changes.items()})

    return behave


def by_schema(behaviour: Behaviour) -> Behaviour:
    """The behaviour where a JSON schema is asked for, and an honest judge elsewhere."""
    return lambda call: behaviour(call) if "response_format" in call.body else call.be_honest()


def until_roomy(behaviour: Behaviour) -> Behaviour:
    """The behaviour where there is no room to think, and an honest judge elsewhere."""
    return lambda call: behaviour(call) if call.body["max_tokens"] < 8192 else call.be_honest()


HM = "It names 30 days. So: fine."
FINAL = "<|end|><|start|>assistant<|channel|>final<|message|>"
WAYS = [
    pytest.param(wrapped(lambda _: None, reasoning_content=str), id="all-in-reasoning-content"),
    pytest.param(wrapped(lambda _: "", reasoning=str), id="all-in-reasoning"),
    pytest.param(wrapped(lambda said: said, reasoning_content=lambda _: HM), id="thoughts-in-a-field"),
    pytest.param(wrapped(lambda said: [{"type": "text", "text": said}]), id="content-in-parts"),
    pytest.param(
        wrapped(lambda said: [{"type": "thinking", "thinking": HM}, {"type": "text", "text": said}]),
        id="thoughts-in-a-part",
    ),
    pytest.param(wrapped(lambda said: f"<think>{HM}</think>\n{said}"), id="think"),
    pytest.param(wrapped(lambda said: f"{HM}\n</think>\n\n{said}"), id="closing-tag-alone"),
    pytest.param(wrapped(lambda said: f"[THINK]{HM}[/THINK]{said}"), id="mistral"),
    pytest.param(
        wrapped(lambda said: f"<|channel|>analysis<|message|>{HM}{FINAL}{said}<|return|>"), id="gpt-oss"
    ),
    pytest.param(wrapped(lambda said: f"analysis{HM}assistantfinal{said}"), id="gpt-oss-without-marks"),
    pytest.param(wrapped(lambda said: f"Here is my verdict:\n```json\n{said}\n```"), id="prose-and-a-fence"),
    pytest.param(wrapped(lambda said: f"```\n{said}\n```\nI hope this helps!"), id="fence-and-prose"),
    pytest.param(wrapped(lambda said: f"{said}\n\nNote: checked twice."), id="trailing-text"),
    pytest.param(wrapped(lambda said: f"{HM}\n\n{json.dumps(json.loads(said), indent=2)}"), id="laid-out"),
    pytest.param(by_schema(wrapped(lambda said: f"{said}, or else:\n{said}")), id="two-objects-by-schema"),
    pytest.param(by_schema(wrapped(lambda _: '{"criteria":' + "\n" * 500, "length")), id="never-ending"),
    pytest.param(by_schema(wrapped(lambda said: said[:-9], "length")), id="cut"),
    pytest.param(by_schema(wrapped(lambda _: "{}")), id="empty-object-by-schema"),
    pytest.param(until_roomy(wrapped(lambda _: f"<think>{HM}", "length")), id="cut-in-thought"),
    pytest.param(
        until_roomy(wrapped(lambda _: None, "length", reasoning_content=lambda _: HM)),
        id="cut-in-a-field-of-thoughts",
    ),
]


@pytest.mark.parametrize("behaviour", WAYS)
@pytest.mark.parametrize("known", [False, True], ids=["from-the-start", "after-the-anchors"])
def test_what_a_judge_says_is_read(
    ask: Ask, server: JudgeServer, right: Case, wrong: Case, behaviour: Behaviour, known: bool
) -> None:
    server.behaviour = after_anchors(behaviour) if known else behaviour
    judged = ask(right, wrong)
    assert [score.score for score in judged.scores] == [1.0, 0.0]
    assert not [anchor for anchor in judged.anchors if anchor.fault]
    assert len(server.bodies) <= len(ANCHORS) + 2 + 2  # what helps is learnt from the first reply


@pytest.mark.parametrize(
    "line",
    [
        "{number}: {word}",
        "{number}. **{word}**",
        "{number}: {word} (as stated)",
        "{number}: {word} - because of it",
    ],
)
def test_a_model_without_json_is_asked_for_yes_and_no(
    ask: Ask, server: JudgeServer, right: Case, wrong: Case, line: str
) -> None:
    def behave(call: Call) -> None:
        if "number, a colon" not in call.body["messages"][0]["content"]:
            return call.say("It is quite right, I think.")
        words = [verdict["met"] for verdict in call.verdicts["criteria"].values()]
        lines = enumerate([*words, call.verdicts["declines"]], 1)
        return call.say(
            "\n".join(line.format(number=number, word="yes" if word else "no") for number, word in lines)
        )

    server.behaviour = behave
    judged = ask(right, wrong)
    assert [score.score for score in judged.scores] == [1.0, 0.0]
    assert "by yes or no, line by line" in judged.statement
    assert judged.scores[0].verdicts[0].reason == "asked for yes or no alone"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(400, {"error": {"message": "Unknown field: 'seed'", "param": "seed"}}, id="openai"),
        pytest.param(400, [{"error": {"code": 400, "message": 'Unknown name "seed"'}}], id="list"),
        pytest.param(400, {"error": "this model does not take seed"}, id="text"),
        pytest.param(422, {"message": "seed is not supported", "object": "error"}, id="message"),
        pytest.param(
            422,
            {
                "detail": [
                    {"msg": "Extra inputs are not permitted", "loc": ["body", "seed"], "input": {"n": 1}}
                ]
            },
            id="detail",
        ),
        pytest.param(200, {"error": {"code": 400, "message": "unsupported: seed"}}, id="within-200"),
        pytest.param(
            200,
            {"error": {"code": 400, "message": "Provider returned error", "metadata": {"raw": "no 'seed'"}}},
            id="of-a-provider",
        ),
    ],
)
def test_seed_alone_is_dropped_where_it_alone_is_refused(
    ask: Ask, server: JudgeServer, right: Case, status: int, body: Any
) -> None:
    server.behaviour = lambda call: (
        call.respond(status, json.dumps(body)) if "seed" in call.body else call.be_honest()
    )
    judged = ask(right)
    assert judged.scores[0].score == 1.0
    assert "by JSON schema, without seed." in judged.statement
    first, second = server.bodies[0], server.bodies[-1]
    assert first.keys() - second.keys() == {"seed"}
    assert len(server.bodies) == len(ANCHORS) + 1 + 1


@pytest.mark.parametrize(
    ("refused", "message", "instead"),
    [
        pytest.param(
            ("max_tokens",),
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_completion_tokens",
            id="max_tokens",
        ),
        pytest.param(
            ("temperature",),
            "'temperature' does not support 0 with this model. Only the default (1) value is supported.",
            "seed",
            id="temperature",
        ),
        pytest.param(("response_format",), "json_schema is not available here", "seed", id="schema"),
        pytest.param(("top_k", "min_p"), "Unrecognized request arguments: top_k, min_p", "seed", id="two"),
        pytest.param(("n",), "Extra field 'n' in the body", "seed", id="n"),
    ],
)
def test_what_is_refused_by_name_is_dropped_alone(
    ask: Ask, server: JudgeServer, right: Case, refused: tuple[str, ...], message: str, instead: str
) -> None:
    server.behaviour = lambda call: (
        error(400, message)(call) if call.body.keys() & set(refused) else call.be_honest()
    )
    assert ask(right).scores[0].score == 1.0
    first, last = server.bodies[0], server.bodies[-1]
    assert first.keys() - last.keys() == set(refused)
    assert instead in last
    assert len(server.bodies) == len(ANCHORS) + 1 + 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param(400, "System role not supported", id="gemma-2"),
        pytest.param(
            400, "Conversation roles must alternate user/assistant/user/assistant/...", id="mistral"
        ),
        pytest.param(400, "Unsupported value: 'messages[0].role' does not support 'system'", id="o1-mini"),
        pytest.param(500, "Jinja Exception: System role not supported", id="llama-cpp"),
        pytest.param(400, "bad request", id="without-words"),
    ],
)
def test_a_model_without_system_messages_is_told_in_the_question(
    ask: Ask, server: JudgeServer, right: Case, wrong: Case, status: int, message: str
) -> None:
    server.behaviour = lambda call: (
        error(status, message)(call) if call.body["messages"][0]["role"] == "system" else call.be_honest()
    )
    judged = ask(right, wrong)
    assert [score.score for score in judged.scores] == [1.0, 0.0]
    assert ", without a system message." in judged.statement
    assert len(server.bodies) <= len(ANCHORS) + 2 + 8


CONTEXTS = [
    pytest.param(
        "This model's maximum context length is {limit} tokens. However, you requested {total} tokens "
        "({prompt} in the messages, {asked} in the completion).",
        id="openai",
    ),
    pytest.param(
        "'max_tokens' is too large: {asked}. This model's maximum context length is {limit} tokens and your "
        "request has {prompt} input tokens ({asked} > {limit} - {prompt}).",
        id="vllm",
    ),
    pytest.param(
        "`inputs` tokens + `max_new_tokens` must be <= {limit}. Given: {prompt} `inputs` tokens and {asked} "
        "`max_new_tokens`",
        id="tgi",
    ),
    pytest.param("context limit exceeded: {prompt} + {asked} > {limit}, decrease max_tokens", id="sum"),
    pytest.param("maximum context length is {limit} tokens, you requested {total} tokens", id="total"),
    pytest.param("the request is too long for the context window", id="no-number"),
    pytest.param("max_tokens of {asked} does not fit into the context of {limit} tokens", id="limit-alone"),
]


@pytest.mark.parametrize("message", CONTEXTS)
def test_the_limit_on_tokens_is_lowered_to_the_context(
    ask: Ask, server: JudgeServer, right: Case, message: str
) -> None:
    prompt, context = 700, 1500

    def behave(call: Call) -> None:
        asked = call.body["max_tokens"]
        if prompt + asked <= context:
            return call.be_honest()
        return error(400, message.format(limit=context, prompt=prompt, asked=asked, total=prompt + asked))(
            call
        )

    server.behaviour = behave
    judged = ask(right)
    assert judged.scores[0].score == 1.0
    assert "by JSON schema, with the sampling parameters of vLLM" in judged.statement


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"error": {"message": "the pool is empty"}}, "the pool is empty", id="message"),
        pytest.param({"error": "the pool is empty"}, "the pool is empty", id="text"),
        pytest.param([{"error": {"message": "the pool is empty"}}], "the pool is empty", id="list"),
        pytest.param({"message": "the pool is empty"}, "the pool is empty", id="top-level"),
        pytest.param({"detail": "the pool is empty"}, "the pool is empty", id="detail"),
        pytest.param({"detail": {"error": {"msg": "the pool is empty"}}}, "the pool is empty", id="nested"),
        pytest.param({"errors": [{"detail": "a"}, {"detail": "b"}]}, "a; b", id="errors"),
        pytest.param({"error": {"code": "PoolEmpty"}}, "PoolEmpty", id="code-alone"),
        pytest.param("<html><style>p {}</style><p>Pool &amp; all</p></html>", "Pool & all", id="html"),
        pytest.param("the pool is empty", "the pool is empty", id="plain-text"),
        pytest.param({"error": {"message": "x" * 5000}}, "xxx", id="long"),
    ],
)
@pytest.mark.parametrize("status", [400, 503])
def test_the_server_is_heard(
    ask: Ask, server: JudgeServer, right: Case, body: Any, words: str, status: int
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    server.behaviour = after_anchors(lambda call: call.respond(status, text))
    (score,) = ask(right).scores
    assert words in score.unscored
    assert len(score.unscored) < 400


def test_an_account_without_credits_ends_the_run(ask: Ask, server: JudgeServer, right: Case) -> None:
    body = json.dumps({"error": {"code": 402, "message": "Insufficient credits"}})
    server.behaviour = lambda call: call.respond(200, body)
    with pytest.raises(StageError, match=r"asks for payment: HTTP 402 .*: Insufficient credits"):
        ask(right)
    assert len(server.bodies) == 1


def test_an_empty_account_is_no_rate_limit(ask: Ask, server: JudgeServer, right: Case) -> None:
    said = {"message": "You exceeded your current quota", "code": "insufficient_quota"}
    server.behaviour = lambda call: call.respond(429, json.dumps({"error": said}))
    with pytest.raises(StageError, match=r"asks for payment: HTTP 402 .*: You exceeded your current quota"):
        ask(right)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"Retry-After": "0.4"}, 0.4),
        ({"Retry-After": "400ms"}, 0.4),
        ({"Retry-After": "0.4s"}, 0.4),
        ({"retry-after-ms": "400", "Retry-After": "100"}, 0.4),
    ],
    ids=str,
)
def test_a_server_is_given_the_time_it_asks_for(
    ask: Ask, server: JudgeServer, right: Case, header: dict[str, str], seconds: float
) -> None:
    free = []

    def behave(call: Call) -> None:
        if not free:
            free.append(time.monotonic() + seconds)
        if time.monotonic() < free[0]:
            return call.respond(429, "{}", header)
        return call.be_honest()

    server.behaviour = behave
    assert ask(right).scores[0].score == 1.0
    assert len(server.bodies) == len(ANCHORS) + 1 + 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param("<html><p>Please log in</p></html>", "Please log in", id="a login page"),
        pytest.param(
            {"prompt_feedback": {"reason": "BLOCKED"}, "detail": "it was blocked"}, "blocked", id="JSON"
        ),
        pytest.param('data: {"choices": []}', "data:", id="a stream"),
    ],
)
def test_what_is_no_completion_is_told_in_its_words(
    ask: Ask, server: JudgeServer, right: Case, body: Any, words: str
) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    server.behaviour = after_anchors(lambda call: call.respond(200, text))
    (score,) = ask(right).scores
    assert score.unscored.startswith("the response is no chat completion with one choice: ")
    assert words in score.unscored


def test_a_compressed_reply_is_read(ask: Ask, server: JudgeServer, right: Case) -> None:
    def behave(call: Call) -> None:
        content = {"choices": [{"message": {"content": json.dumps(call.verdicts)}, "finish_reason": "stop"}]}
        data = gzip.compress(json.dumps(content).encode())
        call.handler.send_response(200)
        call.handler.send_header("Content-Encoding", "gzip")
        call.handler.send_header("Content-Length", str(len(data)))
        call.handler.end_headers()
        call.handler.wfile.write(data)

    server.behaviour = behave
    assert ask(right).scores[0].score == 1.0


def test_a_rate_limit_within_200_is_waited_out(ask: Ask, server: JudgeServer, right: Case) -> None:
    body = json.dumps({"choices": None, "error": {"code": 429, "message": "slow down"}})
    server.behaviour = lambda call: call.respond(200, body) if call.number < 3 else call.be_honest()
    assert ask(right).scores[0].score == 1.0


AZURE = "/openai/deployments/judge"
QUERY = "?api-version=2024-10-21"
PLACES = [
    pytest.param("/v1", "/v1/chat/completions", "Authorization", id="usual"),
    pytest.param("/v1/", "/v1/chat/completions", "Authorization", id="slash"),
    pytest.param("/v1/chat/completions", "/v1/chat/completions", "Authorization", id="whole"),
    pytest.param("/v1/chat/completions/", "/v1/chat/completions", "Authorization", id="whole-with-slash"),
    pytest.param("", "/v1/chat/completions", "Authorization", id="no-path"),
    pytest.param("", "/chat/completions", "Authorization", id="no-version"),
    pytest.param("/llm", "/llm/v1/chat/completions", "Authorization", id="behind-a-prefix"),
    pytest.param(f"{AZURE}{QUERY}", f"{AZURE}/chat/completions{QUERY}", "api-key", id="azure"),
    pytest.param(
        f"{AZURE}/chat/completions{QUERY}", f"{AZURE}/chat/completions{QUERY}", "api-key", id="whole-azure"
    ),
    pytest.param("/v1", "/v1/chat/completions", "api-key", id="api-key-elsewhere"),
]


@pytest.mark.parametrize(("path", "served_at", "header"), PLACES)
def test_a_server_is_found_where_it_is(
    server: JudgeServer, right: Case, tmp_path: Path, path: str, served_at: str, header: str
) -> None:
    expected = f"Bearer {KEY}" if header == "Authorization" else KEY

    def behave(call: Call) -> None:
        if call.handler.path != served_at:
            return error(404, "Resource not found")(call)
        if call.handler.headers.get(header) != expected:
            return error(401, f"missing {header}")(call)
        return call.be_honest()

    server.behaviour = behave
    spec = replace(server.spec, url=server.url.removesuffix("/v1") + path)
    (score,) = OpenAI(spec, KEY, tmp_path, "one", LIMITS).judge_all([right]).scores
    assert score.score == 1.0
    assert len(server.bodies) <= len(ANCHORS) + 1 + 1
    assert all(len({"Authorization", "api-key"} & headers.keys()) == 1 for headers in server.headers)


def test_one_server_has_one_address() -> None:
    assert address("https://a/v1") == address("https://a/v1/") == address("https://a/v1/chat/completions")


def test_a_masked_key_is_not_repeated(ask: Ask, server: JudgeServer, right: Case) -> None:
    server.behaviour = error(401, f"Incorrect API key provided: {KEY[:8]}****{KEY[-4:]}. Ask your admin.")
    with pytest.raises(StageError, match=r"provided: \[key\] Ask your admin") as caught:
        ask(right, key=KEY)
    assert KEY[:8] not in caught.value.message
    assert KEY[-4:] not in caught.value.message
