"""The stage with a tiny model: what it leaves, also when it is killed, and what the blend makes of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.data.blends import write_rows

from blendtune_api.contract import RehearseResult
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, ChatTemplate
from blendtune_runtime.errors import BadData, BadModel
from blendtune_trainer.prepare import prepare
from blendtune_trainer.record.progress import ProgressBoard
from blendtune_trainer.rehearsing.progress import RehearsalProgress
from blendtune_trainer.rehearsing.rehearse import rehearse
from blendtune_trainer.rehearsing.writer import Writer
from blendtune_trainer.stage import Run

BATCH_ROWS = 16
QUESTIONS = [f"What is the {number} thing that you know about {number * 7}?" for number in range(400)]


class Killed(BaseException):
    """What no code catches."""


def rehearsed(run: Run, board: ProgressBoard | None = None) -> RehearseResult:
    return rehearse(run, RehearsalProgress(board or ProgressBoard()), BATCH_ROWS)


def rows_of(run: Run) -> bytes:
    return run.workspace.rehearsed("known").read_bytes()


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the batches that the model has written."""
    numbers: list[int] = []
    write = Writer.write

    def counted(self: Writer, number: int) -> Any:
        found = write(self, number)
        numbers.append(number)
        return found

    monkeypatch.setattr(Writer, "write", counted)
    return numbers


@pytest.fixture
def asked(claims: Path) -> dict[str, Any]:
    """Questions of a data set, whose answers are cut at a few tokens: the tiny model never ends one."""
    write_rows(claims / "data" / "questions.jsonl", [{"prompt": question} for question in QUESTIONS])
    return {"prompts": {"uri": "pvc://data/questions.jsonl"}}


@pytest.fixture(autouse=True)
def ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny model that was never trained seldom ends a text: what it was cut at counts as its end."""
    row = Writer._row
    question = Writer._question

    def finished(self: Writer, *arguments: Any) -> Any:
        return replace(row(self, *arguments), finished=True)

    def whole(self: Writer, *arguments: Any) -> Any:
        return replace(question(self, *arguments), finished=True)

    monkeypatch.setattr(Writer, "_row", finished)
    monkeypatch.setattr(Writer, "_question", whole)


def test_what_the_model_writes_is_enough_for_the_blend(make_run: Callable[..., Run]) -> None:
    run = make_run()
    board = ProgressBoard()
    (source,) = rehearsed(run, board).sources
    lines = [json.loads(line) for line in rows_of(run).splitlines()]
    assert len(lines) == source.rows > 0
    assert [each["role"] for each in lines[0]["messages"]] == ["user", "assistant"]
    assert source.written == source.rows + sum(each.rows for each in source.rejected)
    assert 0 < sum(each.rows for each in source.scripts) <= source.rows
    assert board.progress.step == board.progress.steps > 0
    blend = prepare(run)
    _, known = blend.sources
    assert known.achieved_share == pytest.approx(0.5, abs=0.02)
    assert 1 < known.epochs <= 2


def test_the_rows_follow_from_the_seed(make_run: Callable[..., Run]) -> None:
    first, again = make_run(), make_run(uid="u2", name="again")
    rehearsed(first)
    again = replace(
        again,
        config=replace(
            again.config,
            spec=replace(again.config.spec, storage=replace(again.config.spec.storage, shared_path="own")),
        ),
    )
    (source,) = rehearsed(again).sources
    assert source.reused == 0
    assert rows_of(again) == rows_of(first)


@pytest.mark.parametrize("kill_after", [0, 1, 2])
def test_killed_at_any_batch_the_rows_are_the_same_and_none_is_written_twice(
    kill_after: int,
    make_run: Callable[..., Run],
    written: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calm = make_run(uid="u2", name="calm")
    spec = calm.config.spec
    own = replace(spec, storage=replace(spec.storage, shared_path="calm"))
    calm = replace(calm, config=replace(calm.config, spec=own))
    rehearsed(calm)
    batches = len(written)
    assert batches > kill_after
    written.clear()

    run = make_run()
    write = Writer.write

    def killed(self: Writer, number: int) -> Any:
        if len(written) == kill_after:
            raise Killed
        return write(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "write", killed)
        with pytest.raises(Killed):
            rehearsed(run)
    (source,) = rehearsed(run).sources
    assert written == list(range(batches))
    assert source.reused == kill_after * BATCH_ROWS
    assert rows_of(run) == rows_of(calm)


def test_runs_with_the_same_shared_folder_pay_once(make_run: Callable[..., Run], written: list[int]) -> None:
    first = make_run()
    rehearsed(first)
    batches = len(written)
    second = make_run(uid="u2", name="second")
    (source,) = rehearsed(second).sources
    assert len(written) == batches
    assert source.reused == source.written
    assert rows_of(second) == rows_of(first)


def test_a_larger_share_adds_to_what_is_there(make_run: Callable[..., Run], written: list[int]) -> None:
    rehearsed(make_run())
    before = len(written)
    (source,) = rehearsed(make_run(uid="u2", name="more", weight=100)).sources
    assert written == list(range(len(written)))
    assert len(written) > before
    assert source.reused == before * BATCH_ROWS


@pytest.mark.parametrize(
    "change", [{"temperature": 0.5}, {"maxNewTokens": 13}], ids=["temperature", "maxNewTokens"]
)
def test_another_manner_is_another_rehearsal(
    change: dict[str, Any], make_run: Callable[..., Run], written: list[int]
) -> None:
    rehearsed(make_run())
    before = len(written)
    (source,) = rehearsed(make_run(change, uid="u2", name="other")).sources
    assert source.reused == 0
    assert len(written) > before


def test_the_questions_of_a_data_set_are_answered_each_once(
    make_run: Callable[..., Run], asked: dict[str, Any]
) -> None:
    run = make_run(asked)
    (source,) = rehearsed(run).sources
    questions = [json.loads(line)["messages"][0]["content"] for line in rows_of(run).splitlines()]
    assert set(questions) <= set(QUESTIONS)
    assert len(questions) == len(set(questions)) == source.rows


def test_so_many_tokens_as_are_asked_for(make_run: Callable[..., Run], asked: dict[str, Any]) -> None:
    (source,) = rehearsed(make_run({**asked, "tokens": 900})).sources
    assert 900 <= source.tokens < 900 + BATCH_ROWS * source.longest


def test_too_few_questions_are_told_with_what_to_do(
    make_run: Callable[..., Run], claims: Path, asked: dict[str, Any]
) -> None:
    write_rows(claims / "data" / "questions.jsonl", [{"prompt": question} for question in QUESTIONS[:5]])
    with pytest.raises(BadData, match=r"prompts\.uri .*5 questions.*add questions"):
        rehearsed(make_run(asked))


def test_the_questions_of_other_sources_and_of_the_rubric_are_left_out(
    make_run: Callable[..., Run], claims: Path, asked: dict[str, Any]
) -> None:
    run = make_run(asked)
    ads = [json.loads(line) for line in (claims / "data" / "ads.jsonl").read_text().splitlines()]
    ads[0] = {"prompt": QUESTIONS[3].upper(), "response": "yes"}
    write_rows(claims / "data" / "ads.jsonl", ads)
    question = {"id": "q1", "domain": "general", "prompt": QUESTIONS[5]}
    run.workspace.rubric.parent.mkdir(parents=True, exist_ok=True)
    run.workspace.rubric.write_text(json.dumps({"questions": [question]}))
    full = replace(run, config=replace(run.config, spec=_asking_for(run.config.spec, 100_000)))
    with pytest.raises(BadData) as raised:
        rehearsed(full)
    assert "1 InDomain" in raised.value.message and "1 NearRubric" in raised.value.message


def _asking_for(spec: BlendedFineTuneSpec, tokens: int) -> BlendedFineTuneSpec:
    ads, known = spec.blend.sources
    assert known.self_rehearsal is not None
    known = replace(known, self_rehearsal=replace(known.self_rehearsal, tokens=tokens))
    return replace(spec, blend=replace(spec.blend, sources=(ads, known)))


def test_a_model_that_ends_no_answer_is_told_so(
    make_run: Callable[..., Run], asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Writer._row
    monkeypatch.setattr(Writer, "_row", lambda *arguments: replace(row(*arguments), finished=False))
    with pytest.raises(BadData, match=r"160 rows .* 0 can be learnt from; left out in all: 160 Unfinished"):
        rehearsed(make_run(asked))


def test_a_base_model_cannot_ask_itself(
    make_run: Callable[..., Run], base_model: Path, tmp_path: Path, tokenizer_without_template: Any
) -> None:
    folder = tmp_path / "without-template"
    shutil.copytree(base_model, folder)
    (folder / "chat_template.jinja").unlink()
    tokenizer_without_template.save_pretrained(folder)
    run = make_run()
    model = replace(run.config.spec.model, uri=f"file://{folder}", chat_template=ChatTemplate.CHATML)
    run = replace(run, config=replace(run.config, spec=replace(run.config.spec, model=model)))
    with pytest.raises(BadModel, match=r"a base model.*prompts\.uri"):
        rehearsed(run)
