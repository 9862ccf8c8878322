"""The whole evaluation with a judge model: its files, what a kill costs, and how large results become."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.eval.conftest import Pod, report_of, workspace_folder
from tests.eval.judge_server import Call, JudgeServer, judge_server
from tests.operator.builders import rubric_eval
from tests.operator.world import World

from blendtune_api.contract import (
    MESSAGE_LIMIT_BYTES,
    Env,
    EvalResult,
    ExitCode,
    Failure,
    decode_message,
    encode_message,
)
from blendtune_api.v1alpha1 import EvaluatedModel, Judge, JudgeKind, KeySelector, RubricEvalBaseline
from blendtune_eval.__main__ import main
from blendtune_eval.answering import answer
from blendtune_eval.api_client import Limits
from blendtune_eval.cache import Journal
from blendtune_eval.evaluate import evaluate
from blendtune_eval.judging import openai_judge
from blendtune_eval.judging.anchors import ANCHORS
from blendtune_eval.rubrics.loader import parse

pytestmark = pytest.mark.usefixtures("one_thread")

KEY = "sk-very-secret-key-0123456789"
STATUS_LIMIT_BYTES = 32 * 1024
WORDINGS = 14  # of both models


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_judge, "Limits", lambda: Limits(first_wait=0.002))


def judged_by(server: JudgeServer, *, with_key: bool = False) -> Judge:
    secret = KeySelector(name="judge", key="token") if with_key else None
    return Judge(kind=JudgeKind.OPENAI, open_ai=replace(server.spec, api_key_secret_ref=secret))


def everything_written(environment: Mapping[str, str]) -> str:
    files = [path for path in workspace_folder(environment).rglob("*") if path.is_file()]
    return "".join(path.read_text() for path in files)


def test_result_and_report_name_the_judge(pod: Pod, server: JudgeServer) -> None:
    environment = pod(judge=judged_by(server))
    result = evaluate(environment)
    assert result.coverage == 1.0
    assert result.unscored_reason == ""
    report = report_of(environment)
    assert report["judge"]["kind"] == "OpenAI"
    assert report["judge"]["digest"] == result.digests.judge
    assert report["judge"]["statement"].startswith("the opinion of judge-8b at 127.0.0.1:")
    assert report["judge"]["anchors"] == [{"name": anchor.name, "fault": ""} for anchor in ANCHORS]
    assert (
        report["judge"]["statement"] in (workspace_folder(environment) / "eval" / "report.html").read_text()
    )


def test_the_rules_and_an_honest_judge_agree(pod: Pod, server: JudgeServer) -> None:
    by_rules = evaluate(pod())
    by_model = evaluate(pod(judge=judged_by(server)))
    assert by_model.digests.judge != by_rules.digests.judge
    assert replace(by_model, digests=by_rules.digests) == by_rules


def test_a_judge_that_is_not_believed_leaves_no_score(pod: Pod, server: JudgeServer) -> None:
    server.behaviour = lambda call: call.respond(500, "")
    environment = pod(judge=judged_by(server))
    result = evaluate(environment)
    assert (result.coverage, result.overall.score, result.overall.n) == (0.0, None, 0)
    assert "missed 10 of 10 anchor answers" in result.unscored_reason
    server.behaviour = Call.be_honest
    assert evaluate(environment).coverage == 1.0  # nothing that went wrong is kept


def test_the_key_comes_from_the_environment_and_is_written_nowhere(
    pod: Pod, server: JudgeServer, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = pod(judge=judged_by(server, with_key=True)) | {Env.JUDGE_API_KEY: f"{KEY}\n"}
    evaluate(environment)
    assert {headers["Authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    output = capfd.readouterr()
    assert KEY not in everything_written(environment) + output.out + output.err


@pytest.mark.parametrize(
    ("change", "variables", "words"),
    [
        pytest.param({}, {}, "BLENDTUNE_JUDGE_API_KEY holds nothing", id="no-key"),
        pytest.param({}, {Env.JUDGE_API_KEY: f"{KEY}\nHost: other"}, "is no API key", id="two-lines"),
        pytest.param({}, {Env.JUDGE_API_KEY: f"{KEY}ü"}, "is no API key", id="not-ascii"),
        pytest.param({"model": "org/tuned"}, {Env.JUDGE_API_KEY: KEY}, "spec.model.uri by", id="itself"),
        pytest.param({"model": "BASE-1"}, {Env.JUDGE_API_KEY: KEY}, "spec.baseline.model.uri", id="baseline"),
        pytest.param({"url": "http://host:99999999"}, {Env.JUDGE_API_KEY: KEY}, "is no URL", id="port"),
    ],
)
def test_a_judge_that_cannot_be_is_refused(
    pod: Pod,
    server: JudgeServer,
    models_folder: Path,
    change: dict[str, str],
    variables: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge = judged_by(server, with_key=True)
    assert judge.open_ai is not None
    judge = replace(judge, open_ai=replace(judge.open_ai, **change))
    named = {"baseline": evaluated_with("base-1", models_folder)} if "BASE-1" in change.values() else {}
    environment = pod(judge=judge, **named) | variables
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["evaluate"]) == ExitCode.BAD_CONFIGURATION
    failure = decode_message(Path(environment[Env.TERMINATION_LOG]).read_text())
    assert isinstance(failure, Failure)
    assert words in failure.message
    assert KEY not in failure.message
    assert server.bodies == []


def evaluated_with(name: str, models_folder: Path) -> Any:
    return RubricEvalBaseline(model=EvaluatedModel(uri=f"file://{models_folder / name}"))


class Evaluation:
    """An evaluation in a process of its own, which is killed after a number of records on disk.

    Every prompt that a model answers is logged by its digest before anything is recorded.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._log = folder / "answered"
        self._environment = environment

    def run(self, kill_after: int | None, concurrency: int) -> int:
        process = multiprocessing.get_context("fork").Process(
            target=self._evaluate, args=(kill_after, concurrency)
        )
        process.start()
        process.join(60)
        code = process.exitcode
        process.close()
        assert code is not None
        return code

    @property
    def answered(self) -> Counter[str]:
        return Counter(self._log.read_text().split()) if self._log.exists() else Counter()

    def _evaluate(self, kill_after: int | None, concurrency: int) -> None:
        recorded = 0
        generate, add = answer.generate, Journal.add

        def generate_and_log(model: Any, batch: Any, decoding: Any) -> Any:
            given = generate(model, batch, decoding)
            with self._log.open("a") as log:
                log.writelines(f"{id_of(model)}:{prompt.digest}\n" for prompt in batch)
            return given

        def add_and_die(journal: Any, values: Any) -> None:
            nonlocal recorded
            add(journal, values)
            recorded += 1
            if recorded == kill_after:
                os.kill(os.getpid(), signal.SIGKILL)

        answer.generate = generate_and_log
        answer.BATCH_SIZE = 1
        answer.batches.__defaults__ = (1,)
        Journal.add = add_and_die  # type: ignore[method-assign]
        openai_judge.Limits = lambda: Limits(concurrency=concurrency)
        evaluate(self._environment)


def id_of(model: Any) -> str:
    return f"{float(next(model.parameters()).detach().double().sum()):.6f}"


def outcome(environment: Mapping[str, str]) -> tuple[str, str]:
    folder = workspace_folder(environment) / "eval"
    return (folder / "result.json").read_text(), (folder / "answers.jsonl").read_text()


@pytest.mark.parametrize(
    ("records", "concurrency"),
    [
        pytest.param(3, 1, id="after-every-third-question"),
        pytest.param(7, 8, id="amid-several-questions"),
    ],
)
def test_kills_change_nothing_and_nothing_is_answered_twice(
    pod: Pod, server: JudgeServer, tmp_path: Path, records: int, concurrency: int
) -> None:
    environment = pod(judge=judged_by(server))
    whole = environment | {Env.CLAIMS: str(tmp_path / "whole")}
    assert Evaluation(tmp_path, whole).run(None, concurrency) == 0
    requests, answers = server.asked.copy(), Evaluation(tmp_path, whole).answered
    assert (answers.total(), set(answers.values())) == (WORDINGS, {1})
    server.asked.clear()
    folder = tmp_path / "killed"
    folder.mkdir()
    evaluation, kills = Evaluation(folder, environment), 0
    while (code := evaluation.run(records, concurrency)) == -signal.SIGKILL:
        kills += 1
    assert code == 0
    assert kills >= (answers.total() + requests.total()) // records
    assert outcome(environment) == outcome(whole)
    assert evaluation.answered == answers
    if concurrency == 1:
        assert server.asked == requests
    else:  # what was under way when the process died had no answer yet
        assert server.asked.keys() == requests.keys()
        assert server.asked.total() <= requests.total() + kills * (concurrency - 1)


def large_rubric(questions: int) -> str:
    """A rubric of 16 categories with the longest names, and questions that share a criterion."""
    names = [f"{'category' * 7}-{number:02}" for number in range(16)]
    categories = "\n".join(f"- {{name: {name}, title: Title}}" for name in names)
    entries = "\n".join(
        f"""- id: question-{number}
  category: {names[number % 16]}
  domain: {"general" if number % 2 else "inDomain"}
  prompt: "What is {number} and {number + 1} and what comes of it?"
  reference: "It is blue."
  criteria:
  - {{name: is-blue, kind: Fact, anyOf: [blue], required: true}}"""
        for number in range(questions)
    )
    return f'name: large\nversion: "1"\ncategories:\n{categories}\nquestions:\n{entries}\n'


def test_five_hundred_questions_fit_message_and_status(pod: Pod) -> None:
    """With a reason why each has no score, and then with all scores, of the same answers."""

    def complain(call: Call) -> None:
        if call.is_anchor:
            call.be_honest()
        else:
            call.respond(418, json.dumps({"error": {"message": "why not? " * 1000}}))

    with judge_server(parse(large_rubric(500), "rubric.yaml").questions) as server:
        environment = pod(judge=judged_by(server))
        Path(environment[Env.RUBRIC]).write_text(large_rubric(500))
        server.behaviour = complain
        unscored = evaluate(environment)
        server.behaviour = Call.be_honest
        scored = evaluate(environment)
    assert unscored.coverage < 0.05  # empty answers need no judge
    assert scored.coverage == 1.0
    for result in (unscored, scored):
        message = encode_message(result)
        assert len(message.encode()) <= MESSAGE_LIMIT_BYTES
        left = decode_message(message)
        assert isinstance(left, EvalResult)
        assert_the_status_fits(left)


def assert_the_status_fits(result: EvalResult) -> None:
    world = World()
    world.apply(rubric_eval())
    world.settle()
    (job,) = world.active_jobs()
    world.start(job)
    world.succeed(job, result)
    world.settle()
    status = next(item["status"] for item in world if item["kind"] == "RubricEval")
    assert len(status["categories"]) == 16
    assert len(json.dumps(status).encode()) <= STATUS_LIMIT_BYTES
