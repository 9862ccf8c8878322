"""`blendtune run`, from manifest to scores, disturbed and undisturbed, with real processes."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from tests.api.structural import as_json_schema
from tests.run.conftest import LONG, Finished, Outcome, Project

from blendtune_api.crd import root_schema
from blendtune_api.v1alpha1 import BlendedFineTune, RubricEval

KINDS = {"BlendedFineTune": BlendedFineTune, "RubricEval": RubricEval}
TRAINING = Path("claims/disk/default/small/train")


def wait_until(process: subprocess.Popen[str], holds: Callable[[], bool]) -> None:
    """Waits while the process lives and the condition does not hold."""
    end = time.monotonic() + 300
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def losses(outcome: Outcome) -> list[float]:
    return [step["loss"] for step in outcome.steps()]


def test_a_run_ends_with_scores_and_a_model(undisturbed: Finished) -> None:
    check_objects(undisturbed.outcome)
    check_model(undisturbed.outcome)


def test_ranks_do_not_change_the_losses(undisturbed: Finished, tmp_path: Path) -> None:
    two = undisturbed.outcome
    one = undisturbed.project.changed("one", nodes=1, **LONG).run(tmp_path / "one")
    assert one.code == 0, one.errors
    assert one.blend_digest() == two.blend_digest()
    assert len(losses(two)) >= 20
    assert losses(one)[:20] == pytest.approx(losses(two)[:20], abs=1e-4)


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


def test_a_run_that_is_killed_and_terminated_ends_as_an_undisturbed_one(
    undisturbed: Finished, tmp_path: Path
) -> None:
    """By SIGKILL and then by SIGTERM, each while a checkpoint is written."""
    project, expected = undisturbed.project, undisturbed.outcome
    steps = []
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)):
        outcome = interrupted(project, tmp_path / "work", number)
        assert outcome.code == code, outcome.errors
        steps.append(len(outcome.steps()))
    assert 0 < steps[0] <= steps[1] < len(expected.steps())

    last = project.run(tmp_path / "work")
    assert last.code == 0, last.errors
    assert last.blend_digest() == expected.blend_digest()
    assert losses(last) == losses(expected)


def interrupted(project: Project, workdir: Path, number: signal.Signals) -> Outcome:
    """A run that goes on from the latest checkpoint, and gets a signal after the next one."""
    checkpoints = workdir / TRAINING / "checkpoints"
    latest = checkpoints / "latest.json"
    before = latest.read_text() if latest.exists() else ""

    def is_saving() -> bool:
        has_gone_on = latest.exists() and latest.read_text() != before
        return has_gone_on and any(checkpoints.glob("step-*.tmp"))

    process = project.start(workdir)
    wait_until(process, is_saving)
    process.send_signal(number)
    return project.finish(process, workdir)


def break_row(project: Project) -> None:
    path = project.folder / "shop.jsonl"
    lines = path.read_text().splitlines()
    lines[6] = lines[6][:-3]
    path.write_text("\n".join(lines))


def ask_for_too_many_passes(project: Project) -> None:
    path = project.folder / "world.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[:12]))


def leak_a_prompt(project: Project) -> None:
    with (project.folder / "world.jsonl").open("a") as file:
        file.write(
            '{"messages": [{"role": "user", "content": "On how many legs does an ordinary garden spider walk '
            'around?"}, {"role": "assistant", "content": "Eight."}]}\n'
        )


def repeat_an_id(project: Project) -> None:
    path = project.folder / "rubric.yaml"
    path.write_text(path.read_text().replace("legs-of-a-spider", "colour-of-the-shop"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(break_row, ["shop.jsonl:7"], id="malformed-line"),
        pytest.param(ask_for_too_many_passes, ["world", "maxEpochs"], id="source-too-small"),
        pytest.param(leak_a_prompt, ["legs-of-a-spider", "world.jsonl"], id="prompt-in-the-rows"),
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


def test_another_configuration_leaves_a_workspace_alone(undisturbed: Finished) -> None:
    steps = undisturbed.workdir / TRAINING / "steps.jsonl"
    before = steps.read_text()
    outcome = undisturbed.project.changed("other", epochs=2).run(undisturbed.workdir)
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
