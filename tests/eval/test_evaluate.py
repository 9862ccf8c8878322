"""The whole evaluation, with real checkpoints of a tiny model."""

from __future__ import annotations

import copy
import gc
import json
import re
import shutil
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from tests.eval.conftest import CHAT_TEMPLATE
from transformers import PreTrainedTokenizerFast

from blendtune_api.contract import (
    BlendResult,
    Env,
    EvalResult,
    ExitCode,
    Failure,
    GpuPreset,
    TrainResult,
    decode_message,
    encode_message,
    weights_digest,
)
from blendtune_api.crd import RUBRIC_EVALS, custom_resource_definition
from blendtune_api.v1alpha1 import (
    BlendedSource,
    ChatTemplate,
    EpochLoss,
    EpochScope,
    EvaluatedEpoch,
    EvaluatedModel,
    Gate,
    GateResult,
    Metric,
    Reason,
    RubricEvalBaseline,
    RubricEvalCluster,
    Sampling,
    SourceLoss,
    Storage,
)
from blendtune_eval.__main__ import main
from blendtune_eval.answering import answer
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.prompts import ChatPrompts, Prompt
from blendtune_eval.evaluate import evaluate
from blendtune_eval.rubric import Rubric
from blendtune_runtime.errors import StageError

Pod = Callable[..., dict[str, str]]

GATES = (Gate(metric=Metric.IN_DOMAIN, min_gain=0.1), Gate(metric=Metric.OVERALL, max_critical_errors=0))


def folder_of(environment: Mapping[str, str]) -> Path:
    return Path(environment[Env.CLAIMS]) / "work" / "ns" / "ev"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def report_of(environment: Mapping[str, str]) -> Any:
    return json.loads((folder_of(environment) / "eval" / "report.json").read_text())


def test_leaves_result_and_report(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    environment = pod(gates=GATES)
    result = evaluate(environment)
    folder = folder_of(environment) / "eval"
    assert decode_message((folder / "result.json").read_text()) == decode_message(encode_message(result))
    assert json.loads((folder / "progress.json").read_text()) == {"done": 14, "total": 14}
    assert "answered 14/14 (baseline)" in capsys.readouterr().out
    assert result.overall.n == 4
    assert result.coverage == 1.0
    assert result.report_uri == "pvc://work/ns/ev/eval"
    assert [scope.name for scope in result.dimensions] == ["reliability", "consistency", "businessImpact"]
    assert [scope.name for scope in result.categories] == ["world", "shop"]
    assert len(report_of(environment)["gates"]) == 2
    lines = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert len(lines) == 14
    assert {line["respondent"] for line in lines} == {"model", "baseline"}
    assert all(line["criteria"] and line["outcome"] for line in lines)


def test_result_is_a_status(pod: Pod) -> None:
    """The scores as they are written to the resource's status."""
    environment = pod(gates=GATES)
    evaluate(environment)
    scores = json.loads((folder_of(environment) / "eval" / "report.json").read_text())["scores"]
    version = custom_resource_definition(RUBRIC_EVALS)["spec"]["versions"][0]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]
    known = {key: value for key, value in scores.items() if key in status["properties"]}
    assert set(scores) - set(known) <= {"contaminated"}
    jsonschema.validate(known, status)


def test_without_a_baseline(pod: Pod) -> None:
    environment = pod(compared=False, gates=GATES)
    result = evaluate(environment)
    assert result.verdict is None
    assert result.overall.delta is None
    gate, _ = report_of(environment)["gates"]
    assert gate["result"] == GateResult.INCONCLUSIVE
    assert "no baseline" in gate["message"]


def test_earlier_epochs_are_asked_too(pod: Pod, models_folder: Path) -> None:
    """One whose weights are the model's gained nothing since; one like the baseline differs as that does."""
    earlier = [(1, "base"), (2, "tuned")]
    epochs = tuple(
        EvaluatedEpoch(
            epoch=number,
            uri=f"file://{models_folder / name}",
            digest=weights_digest(models_folder / name),
        )
        for number, name in earlier
    )
    result = evaluate(pod())
    environment = pod(epochs=epochs)
    with_epochs = evaluate(environment)
    assert replace(with_epochs, epochs=()) == result
    first, second = with_epochs.epochs
    assert (first.epoch, second.epoch) == (1, 2)
    for scope, then, now in (
        (result.general, first.general, second.general),
        (result.in_domain, first.in_domain, second.in_domain),
    ):
        assert then is not None and now is not None
        assert then == EpochScope(
            score=scope.baseline_score, gain=scope.delta, low=scope.delta_low, high=scope.delta_high
        )
        assert (now.score, now.gain) == (scope.score, 0)
    report = folder_of(environment) / "eval" / "report.html"
    assert "Scores by epoch" in report.read_text()
    assert len(report_of(environment)["respondents"]) == 2


def test_an_epoch_of_other_weights_is_refused(pod: Pod, models_folder: Path) -> None:
    other = EvaluatedEpoch(epoch=1, uri=f"file://{models_folder / 'base'}", digest="0" * 64)
    with pytest.raises(StageError, match=r"spec\.epochs\[0\]"):
        evaluate(pod(epochs=(other,)))


def test_a_finished_evaluation_is_repeated(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate(pod())
    monkeypatch.setattr(answer, "load_model", forbidden)
    again = evaluate(pod())
    assert encode_message(again) == encode_message(first)


def test_changed_gates_need_no_new_answers(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate(pod())
    monkeypatch.setattr(answer, "load_model", forbidden)
    environment = pod(gates=GATES)
    evaluate(environment)
    assert len(report_of(environment)["gates"]) == 2


def forbidden(*_: Any) -> Any:
    raise AssertionError("a model was loaded although every answer is known")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.7, 0.99])
def test_resumes_from_a_cut_cache(pod: Pod, kept: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "BATCH_SIZE", 3)
    environment = pod()
    first = evaluate(environment)
    before = (folder_of(environment) / "eval" / "answers.jsonl").read_text()
    for file in (folder_of(environment) / "answers").iterdir():
        content = file.read_bytes()
        file.write_bytes(content[: int(kept * len(content))])
    (folder_of(environment) / "eval" / "result.json").unlink()
    assert encode_message(evaluate(environment)) == encode_message(first)
    assert (folder_of(environment) / "eval" / "answers.jsonl").read_text() == before


def test_batch_size_does_not_change_the_answers(
    pod: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for size in (1, 3, 32):
        environment = pod() | {Env.CLAIMS: str(tmp_path / f"claims-{size}")}
        monkeypatch.setattr(answer, "BATCH_SIZE", size)
        evaluate(environment)
        texts.append((folder_of(environment) / "eval" / "answers.jsonl").read_text())
    assert texts[0] == texts[1] == texts[2]


def within_memory(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """Lets at most so many prompts be answered at once, as a small GPU would; the sizes of what was."""
    generate, answered = answer.generate, []

    def bounded(model: Any, batch: Sequence[Prompt], decoding: Decoding) -> list[list[int]]:
        if len(batch) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        answered.append(len(batch))
        return generate(model, batch, decoding)

    monkeypatch.setattr(answer, "generate", bounded)
    return answered


def test_a_batch_that_memory_does_not_hold_is_halved(
    pod: Pod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, halved = (pod(compared=False) | {Env.CLAIMS: str(tmp_path / name)} for name in ("one", "two"))
    evaluate(whole)
    answered = within_memory(monkeypatch, most=2)
    evaluate(halved)
    assert answered == [1, 2, 2, 2]
    texts = [(folder_of(way) / "eval" / "answers.jsonl").read_text() for way in (whole, halved)]
    assert texts[0] == texts[1]


def test_a_question_that_memory_does_not_hold_ends_the_evaluation_with_advice(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    within_memory(monkeypatch, most=0)
    with pytest.raises(StageError, match=r"out of memory\. Tried .* set engine: vllm") as caught:
        evaluate(pod())
    assert caught.value.exit_code is ExitCode.DOES_NOT_FIT
    assert caught.value.reason is Reason.DOES_NOT_FIT


def test_a_model_that_memory_does_not_hold_is_no_bad_model(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any, **__: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(answer.AutoModelForCausalLM, "from_pretrained", exhausted)
    with pytest.raises(StageError, match="out of memory") as caught:
        evaluate(pod())
    assert caught.value.exit_code is ExitCode.DOES_NOT_FIT


def test_the_next_model_is_loaded_into_the_memory_of_the_last(models_folder: Path) -> None:
    """Even where that one refers to itself, as one that is spread over GPUs does."""
    model = answer.load_model(models_folder / "base", gpus=0, context=8)
    model.generation_config.holder = [model]
    memory_of_the_last = weakref.ref(model)
    gc.disable()
    try:
        del model
        answer.load_model(models_folder / "tuned", gpus=0, context=8)
        assert memory_of_the_last() is None
    finally:
        gc.enable()


def test_nothing_comes_from_the_checkpoints_generation_config(
    pod: Pod, tmp_path: Path, models_folder: Path
) -> None:
    evaluate(pod())
    own = models_folder / "tuned" / "generation_config.json"
    original = own.read_text()
    own.write_text(
        json.dumps(
            json.loads(original)
            | {"do_sample": True, "temperature": 5.0, "max_new_tokens": 3, "repetition_penalty": 9.0}
        )
    )
    try:
        other = pod() | {Env.CLAIMS: str(tmp_path / "other-claims")}
        evaluate(other)
    finally:
        own.write_text(original)
    first = folder_of(pod()) / "eval" / "answers.jsonl"
    assert (folder_of(other) / "eval" / "answers.jsonl").read_text() == first.read_text()


def test_sampling_is_seeded(pod: Pod, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        environment = pod(sampling=Sampling(max_new_tokens=8, temperature=1.5)) | {
            Env.CLAIMS: str(tmp_path / name)
        }
        evaluate(environment)
        texts.append((folder_of(environment) / "eval" / "answers.jsonl").read_text())
    assert texts[0] == texts[1]


def test_a_system_prompt_goes_to_the_baseline_only(pod: Pod, models_folder: Path) -> None:
    base = EvaluatedModel(uri=f"file://{models_folder / 'base'}")
    environment = pod(baseline=RubricEvalBaseline(model=base, system_prompt="Be brief."))
    evaluate(environment)
    report = json.loads((folder_of(environment) / "eval" / "report.json").read_text())
    assert [respondent["systemPrompt"] for respondent in report["respondents"]] == ["", "Be brief."]


def test_the_baseline_is_asked_again_with_another_template(pod: Pod, models_folder: Path) -> None:
    uri = f"file://{models_folder / 'base'}"
    reports = []
    for template in (None, ChatTemplate.VICUNA, ChatTemplate.VICUNA):
        model = EvaluatedModel(uri=uri, chat_template=template)
        environment = pod(baseline=RubricEvalBaseline(model=model))
        evaluate(environment)
        reports.append((folder_of(environment) / "eval" / "report.json").read_text())
    own, named, again = reports
    assert own != named
    assert named == again


class Outline(HTMLParser):
    """Checks that tags are closed in order, and gathers what a browser would fetch."""

    VOID = frozenset(
        {"meta", "br", "hr", "img", "input", "link", "line", "rect", "circle", "polyline", "path"}
    )

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "xlink:href")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()


def outline(path: Path) -> Outline:
    parsed = Outline()
    parsed.feed(path.read_text())
    parsed.close()
    return parsed


def test_report_is_one_whole_page(pod: Pod) -> None:
    environment = pod(gates=GATES)
    evaluate(environment)
    path = folder_of(environment) / "eval" / "report.html"
    page = outline(path)
    assert page.open == []
    assert page.fetched == []
    assert page.tags.count("details") == 4
    assert page.tags.count("script") == 1
    assert page.tags.count("input") == 1
    assert not re.search(r"https?://|url\(|@import", path.read_text())


def test_markup_in_a_rubric_stays_text(pod: Pod) -> None:
    environment = pod(compared=False)
    rubric = Path(environment[Env.RUBRIC])
    markup = "<script>alert(1)</script>"
    rubric.write_text(rubric.read_text().replace("The shop", markup).replace("goods back", f"goods {markup}"))
    evaluate(environment)
    path = folder_of(environment) / "eval" / "report.html"
    assert path.read_text().count("&lt;script&gt;") >= 2
    assert outline(path).tags.count("script") == 1  # the page's own, which searches


def test_the_page_is_rebuilt_from_the_report(pod: Pod) -> None:
    environment = pod(gates=GATES)
    evaluate(environment)
    folder = folder_of(environment) / "eval"
    files = {name: (folder / name).read_text() for name in ("report.html", "answers.jsonl")}
    for name in files:
        (folder / name).unlink()
    assert main(["report", str(folder.parent)]) == ExitCode.SUCCESS
    assert {name: (folder / name).read_text() for name in files} == files


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "holds no report.json", id="none"),
        pytest.param("{", "is no JSON", id="cut"),
        pytest.param('{"formatVersion": 0}', "no report of format", id="of another version"),
    ],
)
def test_what_is_no_report_is_refused(
    content: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    assert main(["report", str(tmp_path)]) == ExitCode.BAD_CONFIGURATION
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("same_rubric", "contaminated"),
    [pytest.param(True, 1, id="searched"), pytest.param(False, 0, id="other")],
)
def test_report_shows_the_training(pod: Pod, rubric: Rubric, same_rubric: bool, contaminated: int) -> None:
    trained = Storage(persistent_volume_claim="work", path="runs/one")
    environment = pod(training=trained)
    run = Path(environment[Env.CLAIMS]) / "work" / "runs" / "one"
    (run / "blend").mkdir(parents=True)
    (run / "train").mkdir()
    source = BlendedSource(
        name="shop-rows", examples=10, tokens=1000, target_share=0.5, achieved_share=0.499, epochs=2.0
    )
    blend = BlendResult(digest="d", config_digest="c", tokens=2000, steps=3, sources=(source,), parameters=1)
    losses = tuple(EpochLoss(epoch=epoch, loss=loss) for epoch, loss in enumerate((1.5, 1.1, 1.7), 1))
    train = TrainResult(
        config_digest="c",
        blend_digest="d",
        steps=3,
        tokens=2000,
        model_digest="m",
        validation_loss=(SourceLoss(name="shop-rows", before=4.0, after=1.7, epochs=losses),),
    )
    (run / "train" / "result.json").write_text(encode_message(train))
    (run / "blend" / "result.json").write_text(encode_message(blend))
    (run / "rubric.json").write_text(json.dumps({"digest": rubric.digest if same_rubric else "another"}))
    inputs = {
        "promptsMet": [{"question": "refund"}],
        "blend": {"sources": [{"name": "shop-rows", "role": "inDomain"}]},
    }
    (run / "blend" / "inputs.json").write_text(json.dumps(inputs))
    steps = [{"step": step, "loss": 3.0 / step} for step in (1, 2, 3, 2, 3)]
    (run / "train" / "steps.jsonl").write_text("\n".join(map(json.dumps, steps)) + '\n{"step": 4, "lo')
    result = evaluate(environment)
    assert result.contaminated == contaminated
    folder = folder_of(environment) / "eval"
    training = json.loads((folder / "report.json").read_text())["training"]
    assert [point[0] for point in training["loss"]] == [1, 2, 3]
    text = (folder / "report.html").read_text()
    assert "shop-rows" in text
    assert text.count("<polyline") == 2
    assert "Overtrained" in text
    assert text.index("grew after epoch 2: 1.100 then, 1.700 after epoch 3") < text.index("Headline scores")
    assert outline(folder / "report.html").open == []
    assert {"tuned", "base"} == {
        json.loads(line)["respondent"] for line in (folder / "answers.jsonl").read_text().splitlines()
    }


@pytest.mark.parametrize(
    ("change", "code", "reason", "words"),
    [
        pytest.param(
            {"model": EvaluatedModel(uri="file:///nowhere/at/all")},
            ExitCode.BAD_MODEL,
            Reason.BAD_CONFIGURATION,
            "spec.model.uri",
            id="no-model",
        ),
        pytest.param(
            {"sampling": Sampling(max_new_tokens=1000)},
            ExitCode.BAD_CONFIGURATION,
            Reason.BAD_CONFIGURATION,
            "maxNewTokens",
            id="longer-than-the-context",
        ),
        pytest.param(
            {"model": EvaluatedModel(uri="pvc://work/../other")},
            ExitCode.BAD_CONFIGURATION,
            Reason.BAD_CONFIGURATION,
            "may not contain ..",
            id="path-leaves-the-claim",
        ),
    ],
)
def test_known_failures(
    pod: Pod,
    change: dict[str, Any],
    code: ExitCode,
    reason: Reason,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_command(pod(**change), monkeypatch) == code
    failure = decode_message(Path(pod(**change)[Env.TERMINATION_LOG]).read_text())
    assert isinstance(failure, Failure)
    assert failure.reason is reason
    assert words in failure.message


def test_gpus_that_cuda_does_not_see_are_worth_another_attempt(pod: Pod) -> None:
    environment = pod(gpu=GpuPreset(name="a100-80gb"))
    with pytest.raises(StageError, match="promises 1 of type a100-80gb") as caught:
        evaluate(environment)
    assert caught.value.exit_code is ExitCode.TRANSIENT
    assert not folder_of(environment).exists()


def test_no_gpu_is_missed_where_none_is_asked_for(pod: Pod) -> None:
    environment = pod(gpu=GpuPreset(name="a100-80gb"), cluster=RubricEvalCluster(gpus=0), compared=False)
    assert evaluate(environment).coverage == 1.0


def test_other_weights_are_refused(pod: Pod, models_folder: Path) -> None:
    wrong = EvaluatedModel(uri=f"file://{models_folder / 'tuned'}", digest="0" * 64)
    with pytest.raises(StageError, match="have the digest") as caught:
        evaluate(pod(model=wrong))
    assert caught.value.exit_code is ExitCode.BAD_MODEL


def test_a_bad_rubric_is_refused(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = pod()
    Path(environment[Env.RUBRIC]).write_text("name: x\n")
    assert run_command(environment, monkeypatch) == ExitCode.BAD_RUBRIC
    assert not folder_of(environment).exists()


def test_success_leaves_its_message(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = pod()
    assert run_command(environment, monkeypatch) == ExitCode.SUCCESS
    assert isinstance(decode_message(Path(environment[Env.TERMINATION_LOG]).read_text()), EvalResult)


def run_command(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return main(["evaluate"])


def test_stop_tokens_come_from_tokenizer_and_template(
    models_folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    chat = ChatPrompts(models_folder / "tuned", "spec.model")
    assert set(chat.stop_token_ids()) == set(tokenizer.convert_tokens_to_ids(["<eos>", "<|end|>"]))


def test_no_chat_template(tmp_path: Path, models_folder: Path) -> None:
    for file in (models_folder / "tuned").iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(StageError, match="no chat template") as caught:
        ChatPrompts(tmp_path, "spec.model")
    assert caught.value.exit_code is ExitCode.BAD_MODEL


def test_a_base_model_without_a_template_gets_the_models(
    pod: Pod, tmp_path: Path, models_folder: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in (models_folder / "base").iterdir():
        if file.name != "chat_template.jinja":
            (bare / file.name).write_bytes(file.read_bytes())
    environment = pod(baseline=RubricEvalBaseline(model=EvaluatedModel(uri=f"file://{bare}")))
    result = evaluate(environment)
    assert result.overall.baseline_score is not None


def test_a_baseline_that_is_asked_differently_is_not_compared(
    pod: Pod, tmp_path: Path, models_folder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    other = tmp_path / "other"
    shutil.copytree(models_folder / "base", other)
    own = copy.deepcopy(tokenizer)
    own.add_tokens(["<another>"])
    own.chat_template = f"{CHAT_TEMPLATE} "
    own.save_pretrained(other)
    environment = pod(
        baseline=RubricEvalBaseline(model=EvaluatedModel(uri=f"file://{other}")), gates=GATES[:1]
    )
    result = evaluate(environment)
    assert "differ in chat template" in result.not_compared
    assert (result.verdict, result.overall.delta, result.overall.p_value) == (None, None, None)
    assert result.overall.baseline_score is not None
    assert report_of(environment)["gates"][0]["message"] == result.not_compared
    assert result.not_compared in (folder_of(environment) / "eval" / "report.html").read_text()
