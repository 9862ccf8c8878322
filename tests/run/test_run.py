"""`blendtune run`, from manifest to scores, with real processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.api.structural import as_json_schema
from tests.run.conftest import Finished, Outcome, Project, wait_until

from blendtune_api.crd import root_schema
from blendtune_api.v1alpha1 import BlendedFineTune, RubricEval

KINDS = {"BlendedFineTune": BlendedFineTune, "RubricEval": RubricEval}
TRAINING = Path("claims/disk/default/small/train")


def test_a_run_ends_with_scores_and_a_model(finished: Finished) -> None:
    check_objects(finished.outcome)
    check_model(finished.outcome)


def check_objects(outcome: Outcome) -> None:
    """The printed objects pass their own CRD's schema, and hold the scores."""
    for kind, item in outcome.objects.items():
        validator = Draft202012Validator(as_json_schema(root_schema(KINDS[kind])))
        assert [error.message for error in validator.iter_errors(item)] == []
    fine_tune, evaluation = outcome.objects["BlendedFineTune"], outcome.objects["RubricEval"]
    assert fine_tune["status"]["state"] == evaluation["status"]["state"] == "Succeeded"
    for scope in (*(evaluation["status"][name] for name in ("overall", "general", "inDomain")),
                  *evaluation["status"]["dimensions"], *evaluation["status"]["categories"]):  # fmt: skip
        assert 0 <= scope["low"] <= scope["score"] <= scope["high"] <= 1
        assert scope["n"] >= 1
        assert scope["unscored"] == 0
    assert fine_tune["status"]["evaluation"]["overall"] == evaluation["status"]["overall"]
    for name in ("report.html", "report.json", "answers.jsonl"):
        assert (outcome.workspace / "eval" / name).stat().st_size > 0


def check_model(outcome: Outcome) -> None:
    """The exported model answers with its own chat template, through plain transformers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = outcome.workspace / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    question = [{"role": "user", "content": "price?"}]
    inputs = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    assert answer.shape[1] > inputs["input_ids"].shape[1]


def break_row(project: Project) -> None:
    path = project.folder / "shop.jsonl"
    lines = path.read_text().splitlines()
    lines[6] = lines[6][:-3]
    path.write_text("\n".join(lines))


def repeat_an_id(project: Project) -> None:
    path = project.folder / "rubric.yaml"
    path.write_text(path.read_text().replace("legs-of-a-spider", "colour-of-the-shop"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(break_row, ["shop.jsonl:7"], id="malformed-line"),
        pytest.param(repeat_an_id, ["colour-of-the-shop"], id="duplicate-question"),
    ],
)
def test_bad_input_ends_before_any_training(
    project: Project, tmp_path: Path, spoil: Callable[[Project], None], words: list[str]
) -> None:
    spoil(project)
    outcome = project.run(tmp_path / "work")
    assert outcome.code == 2, outcome.errors
    assert all(word in outcome.errors.replace("\n", "") for word in words), outcome.errors
    assert not (outcome.workspace / "train").exists()


def test_another_configuration_leaves_a_workspace_alone(finished: Finished) -> None:
    steps = finished.workdir / TRAINING / "steps.jsonl"
    before = steps.read_text()
    outcome = finished.project.changed("other", epochs=3).run(finished.workdir)
    assert outcome.code == 2
    assert "WorkspaceInUse" in outcome.errors
    assert steps.read_text() == before


def test_a_work_directory_serves_one_run_at_a_time(project: Project, tmp_path: Path) -> None:
    process = project.start(tmp_path / "work")
    try:
        wait_until(process, (tmp_path / "work" / "logs").exists)
        second = project.run(tmp_path / "work")
        assert second.code == 2
        assert "in use by another run" in second.errors
    finally:
        process.terminate()
        project.finish(process, tmp_path / "work")
