"""An evaluation that stops once its gates are decided, with models whose answers are known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.eval.conftest import Pod, report_of, workspace_folder

from blendtune_api.contract import Env, EvalResult, encode_message, weights_digest
from blendtune_api.v1alpha1 import EvaluatedEpoch, Gate, GateResult, Metric, Verdict
from blendtune_core.sequential import LOOKS, Look
from blendtune_eval.answering import answer
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import Prompt
from blendtune_eval.evaluate import evaluate

QUESTIONS = 60  # of each domain, in two categories each, and each in two wordings
GENERAL = Gate(metric=Metric.GENERAL, max_drop=0.3)
GAIN = Gate(metric=Metric.IN_DOMAIN, min_gain=0.3)
EDGE = Gate(metric=Metric.GENERAL, max_drop=0.15)  # what `learned_half` forgets, nearly


def rubric() -> str:
    head = 'name: large\nversion: "1.0"\ndescription: Many questions.\ncategories:\n'
    names = ["world-1", "world-2", "shop-1", "shop-2"]
    categories = "".join(f"- {{name: {name}, title: The {name}}}\n" for name in names)
    questions = "".join(
        f"- id: {name}-q{index}\n  category: {name}\n"
        f"  domain: {'general' if name.startswith('world') else 'inDomain'}\n"
        f'  prompt: "Is {index} known in {name}?"\n  paraphrases: ["In {name}, is {index} known?"]\n'
        "  reference: Indeed.\n"
        "  criteria:\n  - {name: agrees, kind: Fact, anyOf: [indeed], required: true}\n"
        for name in names
        for index in range(QUESTIONS // 2)
    )
    return f"{head}{categories}questions:\n{questions}"


Answering = Callable[[str, str], str]  # what a model says, by the name of its folder and the prompt


def learned(model: str, prompt: str) -> str:
    """Both know the world; only the tuned model knows the shop."""
    return "Indeed." if model != "base" or "world" in prompt else "Nonsense."


def learned_half(model: str, prompt: str) -> str:
    """The tuned model knows some of the shop, and has forgotten a little of the world."""
    number = int("".join(character for character in prompt if character.isdigit())[-3:])
    if "world" in prompt:
        return "Nonsense." if model != "base" and number % 7 == 0 else "Indeed."
    return "Indeed." if model != "base" and number % 2 else "Nonsense."


class Models:
    """Models that answer at once; counts how often each was loaded and what it was asked."""

    def __init__(self, tokenizer: Any) -> None:
        self.says: Answering = learned
        self.loaded: Counter[str] = Counter()
        self.asked: dict[str, set[str]] = {}
        self.left = 10**6  # batches until the machine is taken away
        self._tokenizer = tokenizer

    def load(self, folder: Path, *_: int) -> str:
        self.loaded[folder.name] += 1
        return folder.name

    def generate(self, model: str, batch: Sequence[Prompt], decoding: Decoding) -> list[list[int]]:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        texts = [self._tokenizer.decode(prompt.token_ids) for prompt in batch]
        self.asked.setdefault(model, set()).update(texts)
        stop = decoding.stop_token_ids[0]
        return [[*self._tokenizer(self.says(model, text)).input_ids, stop] for text in texts]


@pytest.fixture
def models(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> Models:
    models = Models(tokenizer)
    monkeypatch.setattr(answer, "load_model", models.load)
    monkeypatch.setattr(answer, "generate", models.generate)
    monkeypatch.setattr("blendtune_eval.evaluate.measure_retention", lambda *_: {})
    return models


@pytest.fixture
def stopping(pod: Pod) -> Pod:
    """Environments of evaluations that may stop."""

    def environment(**changes: Any) -> dict[str, str]:
        given: dict[str, Any] = {"gates": (GENERAL, GAIN), "stop_when_decided": True}
        environment = pod(**given | changes)
        Path(environment[Env.RUBRIC]).write_text(rubric())
        return environment

    return environment


def test_stops_once_every_gate_is_decided(stopping: Pod, models: Models) -> None:
    environment = stopping()
    result = evaluate(environment)
    asked = result.asked
    assert asked is not None
    assert (asked.of, asked.looks, asked.open) == (2 * QUESTIONS, LOOKS, ())
    assert asked.questions == 2 * QUESTIONS * asked.look // LOOKS
    assert 1 < asked.look < LOOKS
    assert result.verdict is Verdict.IMPROVED
    assert result.overall.n == asked.questions
    assert {scope.n for scope in result.categories} == {asked.questions // 4}
    assert models.loaded == {"base": 1, "tuned": 1}
    assert len(models.asked["tuned"]) == 2 * asked.questions
    assert len(models.asked["base"]) == 2 * 2 * QUESTIONS
    folder = workspace_folder(environment) / "eval"
    answers = 4 * QUESTIONS + 2 * asked.questions
    assert json.loads((folder / "progress.json").read_text()) == {"done": answers, "total": answers}


@pytest.mark.usefixtures("models")
def test_what_was_not_asked_is_listed_and_is_no_failure(stopping: Pod) -> None:
    environment = stopping()
    result = evaluate(environment)
    assert result.asked is not None
    report, left = report_of(environment), 2 * QUESTIONS - result.asked.questions
    assert len(report["questions"]) == result.asked.questions
    assert len(report["notAsked"]) == left
    assert not {each["id"] for each in report["questions"]} & {each["id"] for each in report["notAsked"]}
    assert all(None not in each["scores"] for each in report["questions"])
    assert result.overall.unscored == 0
    assert result.coverage == 1
    assert [gate["result"] for gate in report["gates"]] == [GateResult.PASSED, GateResult.PASSED]
    page = (workspace_folder(environment) / "eval" / "report.html").read_text()
    assert f"{left} questions were not asked" in page
    assert f"{result.asked.questions} of 120 questions were asked; they decide every gate on a score" in page
    lines = (workspace_folder(environment) / "eval" / "answers.jsonl").read_text().splitlines()
    assert len(lines) == 2 * 2 * result.asked.questions


def test_asks_every_question_where_a_gate_stays_open(stopping: Pod, models: Models) -> None:
    models.says = learned_half
    result = evaluate(stopping(gates=(EDGE, GAIN)))
    assert result.asked is not None
    assert (result.asked.questions, result.asked.look) == (2 * QUESTIONS, LOOKS)
    assert result.asked.open[0] == "general maxDrop"
    plain = evaluate(stopping(gates=(EDGE, GAIN), stop_when_decided=False))
    assert plain.asked is None
    assert plain.general.delta == result.general.delta
    assert width(result) / width(plain) == pytest.approx(Look(LOOKS).critical() / 1.96, abs=0.02)


def width(result: EvalResult) -> float:
    assert result.general.delta_low is not None and result.general.delta_high is not None
    return result.general.delta_high - result.general.delta_low


@pytest.mark.parametrize("batches", [1, 4, 9, 13])
def test_an_evaluation_that_was_cut_off_stops_at_the_same_look(
    stopping: Pod, models: Models, batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "BATCH_SIZE", 24)
    environment = stopping()
    whole = evaluate(environment)
    folder = workspace_folder(environment)
    before = (folder / "eval" / "answers.jsonl").read_text()
    for file in (*(folder / "answers").iterdir(), folder / "eval" / "result.json"):
        file.unlink()
    models.left = batches
    with pytest.raises(KeyboardInterrupt):
        evaluate(environment)
    models.left = 10**6
    assert encode_message(evaluate(environment)) == encode_message(whole)
    assert (folder / "eval" / "answers.jsonl").read_text() == before


@pytest.mark.usefixtures("models")
def test_earlier_epochs_are_asked_what_the_model_was_asked(stopping: Pod, models_folder: Path) -> None:
    uri, digest = f"file://{models_folder / 'base'}", weights_digest(models_folder / "base")
    result = evaluate(stopping(epochs=(EvaluatedEpoch(epoch=1, uri=uri, digest=digest),)))
    (epoch,) = result.epochs
    assert epoch.in_domain is not None
    assert (epoch.in_domain.gain, epoch.in_domain.low) == (
        result.in_domain.delta,
        result.in_domain.delta_low,
    )


@pytest.mark.usefixtures("models")
def test_without_a_baseline_a_gate_on_a_score_decides(stopping: Pod) -> None:
    result = evaluate(stopping(compared=False, gates=(Gate(metric=Metric.GENERAL, min_score=0.5),)))
    assert result.asked is not None
    assert result.asked.questions < 2 * QUESTIONS
    assert result.overall.baseline_score is None
