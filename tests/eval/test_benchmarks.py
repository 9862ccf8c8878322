"""Standard benchmarks by the real harness: tasks of the workspace, on checkpoints of a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from blendtune_api.contract import Env, ExitCode
from blendtune_api.v1alpha1 import Gate, Metric
from blendtune_eval import benchmarks
from blendtune_eval.evaluate import evaluate
from blendtune_runtime.errors import StageError

tasks = pytest.importorskip(
    "lm_eval.tasks", reason="lm-evaluation-harness is not installed: pip install blendtune[benchmarks]"
)
pytestmark = pytest.mark.usefixtures("own_tasks")

Pod = Callable[..., dict[str, str]]

CHOICES = """
task: shop_choices
dataset_path: json
dataset_kwargs: {data_files: {test: choices.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{options}}"
doc_to_target: "{{right}}"
metric_list:
- {metric: acc, aggregation: mean, higher_is_better: true}
- {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
WORDS = """
task: shop_words
dataset_path: json
dataset_kwargs: {data_files: {test: words.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["."], max_gen_toks: 4, do_sample: false}
filter_list:
- {name: first-word, filter: [{function: regex, regex_pattern: "(\\\\w+)"}, {function: take_first}]}
metric_list:
- {metric: exact_match, aggregation: mean, higher_is_better: true}
"""
GROUP = """
group: shop
task: [shop_choices, shop_more_choices]
aggregate_metric_list:
- {metric: acc, weight_by_size: true}
"""


@pytest.fixture
def own_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The benchmarks folder in the claim of `pod`. The harness's own tasks are not listed, to save time."""
    manager = tasks.TaskManager
    monkeypatch.setattr(
        tasks, "TaskManager", lambda **options: manager(**options | {"include_defaults": False})
    )
    folder = tmp_path / "claims" / "work" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "choices.yaml").write_text(CHOICES)
    (folder / "more.yaml").write_text(CHOICES.replace("shop_choices", "shop_more_choices"))
    (folder / "words.yaml").write_text(WORDS)
    (folder / "group.yaml").write_text(GROUP)
    (folder / "tagged.yaml").write_text("tag: shop_tag\n" + CHOICES.replace("shop_choices", "shop_tagged"))
    (folder / "unsafe.yaml").write_text(
        "unsafe_code: true\n" + CHOICES.replace("shop_choices", "shop_unsafe")
    )
    (folder / "gone.yaml").write_text(
        CHOICES.replace("shop_choices", "shop_gone").replace("choices.json", "no.json")
    )
    choices = [
        {"question": f"What costs {n}?", "options": ["a kettle", "a spoon", "goods"], "right": n % 3}
        for n in range(12)
    ]
    words = [{"question": f"Name number {n}.", "answer": "Paris"} for n in range(3)]
    for name, rows in (("choices", choices), ("words", words)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def report_of(environment: Mapping[str, str]) -> Any:
    return json.loads(
        (Path(environment[Env.CLAIMS]) / "work" / "ns" / "ev" / "eval" / "report.json").read_text()
    )


def test_each_benchmark_has_its_score_beside_the_baselines(pod: Pod) -> None:
    gate = Gate(metric=Metric.BENCHMARK, name="shop_choices", max_drop=0.9)
    environment = pod(benchmarks=("shop_choices", "shop_words", "shop", "shop_words"), gates=(gate,))
    result = evaluate(environment)
    choices, words, group = result.benchmarks
    assert (choices.name, choices.metric, choices.n) == ("shop_choices", "acc", 12)
    assert (words.name, words.metric, words.n) == ("shop_words", "exact_match (first-word)", 3)
    assert (group.name, group.metric, group.n) == ("shop", "acc", 24)
    assert group.score == pytest.approx(choices.score)
    for score in result.benchmarks:
        assert score.baseline_score is not None
        assert score.delta == pytest.approx(score.score - score.baseline_score)
        assert score.delta_low is not None and score.delta_high is not None
        assert score.delta_low < score.delta < score.delta_high
    assert result.overall.n == 4
    assert "shop_choices" in (Path(environment[Env.CLAIMS]) / "work/ns/ev/eval/report.html").read_text()
    report = report_of(environment)
    assert set(report["benchmarks"][0]["metrics"][0]) == {"acc", "acc_norm"}
    assert choices.lower_is_better is None
    (judged,) = report["gates"]
    assert (judged["name"], judged["result"]) == ("shop_choices", "Passed")
    assert judged["value"] == pytest.approx(-(choices.delta or 0.0))


def test_benchmarks_with_gates_come_first(pod: Pod) -> None:
    gate = Gate(metric=Metric.BENCHMARK, name="shop_words", max_drop=0.5)
    result = evaluate(pod(benchmarks=("shop_choices", "shop_words"), gates=(gate,)))
    assert [score.name for score in result.benchmarks] == ["shop_words", "shop_choices"]


def test_a_killed_pod_does_not_repeat_a_benchmark(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = pod(benchmarks=("shop_choices", "shop_words"))
    run = benchmarks.Benchmarks._run
    done: list[str] = []

    def killed_at_the_third(self: Any, name: str, model: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(name)
        return run(self, name, model)

    monkeypatch.setattr(benchmarks.Benchmarks, "_run", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        evaluate(environment)
    done.clear()
    result = evaluate(environment)
    assert done == ["shop_choices", "shop_words"]  # of the baseline
    assert len(result.benchmarks) == 2


def test_another_task_file_is_run_again(pod: Pod, own_tasks: Path) -> None:
    (before,) = evaluate(pod(benchmarks=("shop_choices",))).benchmarks
    rows = (own_tasks / "choices.jsonl").read_text().splitlines(keepends=True)
    (own_tasks / "choices.jsonl").write_text("".join(rows[:6]))
    (after,) = evaluate(pod(benchmarks=("shop_choices",))).benchmarks
    assert (before.n, after.n) == (12, 6)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("no_such_task", "there is no benchmark 'no_such_task'", id="unknown"),
        pytest.param("shop_tag", "is a tag of several tasks", id="tag"),
        pytest.param("shop_unsafe", "runs code that a model writes", id="unsafe"),
        pytest.param("shop_gone", "the data of shop_gone could not be loaded", id="no-data"),
    ],
)
def test_what_cannot_be_run_names_the_field(pod: Pod, name: str, words: str) -> None:
    with pytest.raises(StageError, match=words) as caught:
        evaluate(pod(benchmarks=("shop_choices", name)))
    assert caught.value.message.startswith("spec.benchmarks[1]: ")
    assert caught.value.exit_code is ExitCode.BAD_CONFIGURATION


def test_a_missing_harness_is_said(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise benchmarks.PackageNotFoundError(name)

    monkeypatch.setattr(benchmarks, "version", missing)
    with pytest.raises(StageError, match="lm-evaluation-harness is not installed"):
        evaluate(pod(benchmarks=("mmlu",)))
