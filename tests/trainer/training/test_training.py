"""Whole trainings of a tiny model: resumption, and what is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.trainer.training.ranks import Interruption, finish
from tests.trainer.training.runs import Run, build_blend
from transformers import AutoModelForCausalLM, AutoTokenizer

from blendtune_api.contract import ExitCode, Failure, GpuPreset, weights_digest
from blendtune_api.v1alpha1 import (
    AfterSuccess,
    ChatTemplate,
    Checkpoint,
    DeepSpeed,
    EarlyStopping,
    Evaluation,
    Export,
    Gate,
    Interpolation,
    Metric,
    Precision,
    Reason,
)
from blendtune_runtime.chat.templates import template_text

MakeRun = Callable[..., Run]
KEEP = Checkpoint(every_minutes=600, after_success=AfterSuccess.KEEP)
EVERY_STEP = Checkpoint(every_minutes=1e-9, keep=2, after_success=AfterSuccess.KEEP)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, base_model: Path) -> Run:
    """One rank at ZeRO-1, from start to end."""
    run = Run.create(tmp_path_factory.mktemp("undisturbed"), base_model)
    assert run.train() == [0]
    return run


def test_result_and_artifacts(undisturbed: Run) -> None:
    result = undisturbed.result
    home = undisturbed.workspace
    assert result.steps == 6
    assert result.tokens == sum(undisturbed.column("tokens"))
    assert result.final_loss == pytest.approx(undisturbed.losses()[-1], rel=1e-5)
    assert undisturbed.losses()[-1] < undisturbed.losses()[0] - 0.3
    assert [loss.name for loss in result.validation_loss] == ["ads", "general"]
    assert all(loss.after < loss.before for loss in result.validation_loss if loss.before and loss.after)
    for loss in result.validation_loss:
        assert [point.epoch for point in loss.epochs] == [1, 2]
        assert loss.epochs[-1].loss == loss.after
    assert result.gpu_seconds is not None and result.gpu_seconds > sum(undisturbed.column("seconds"))
    assert result.mfu is None  # the peak of a CPU is not known
    assert (result.config_digest, result.blend_digest) == (undisturbed.config.digest, "blend")
    assert home.result("train").read_text() == undisturbed.message_of(0)
    assert result.model_digest == weights_digest(home.model)
    assert not home.checkpoints.exists()  # afterSuccess: Delete
    validations = [json.loads(line) for line in (home.train / "validation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in validations] == [0, 3, 6]


def test_the_exported_model_answers_with_the_named_chat_template(undisturbed: Run) -> None:
    folder = undisturbed.workspace.model
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert undisturbed.config.spec.model.chat_template is ChatTemplate.CHATML
    assert tokenizer.chat_template == template_text(ChatTemplate.CHATML)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.config.use_cache
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in folder.iterdir())
    assert model.config.tie_word_embeddings
    assert model.lm_head.weight is model.model.embed_tokens.weight
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Hello"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    answer = model.generate(**prompt, max_new_tokens=5)
    assert answer.shape[1] > prompt["input_ids"].shape[1]


def test_a_finished_training_is_not_done_again(undisturbed: Run) -> None:
    before = undisturbed.steps()
    assert undisturbed.train(2) == [0, 0]
    assert undisturbed.steps() == before
    assert "step" not in undisturbed.log_of(1)


@pytest.mark.parametrize("stage", [2, 3])
def test_sigterm_checkpoints_and_the_next_attempt_goes_on_as_if_nothing_happened(
    make_run: MakeRun, undisturbed: Run, stage: int
) -> None:
    run = make_run(deepspeed=DeepSpeed(stage=stage), checkpoint=KEEP)
    told = Interruption(rank=1, signal=signal.SIGTERM, calls=2)  # one rank; all of them agree
    assert run.train(2, interruption=told) == [ExitCode.PREEMPTED, ExitCode.PREEMPTED]
    reached = len(run.steps())
    assert 2 <= reached <= 3
    outcome = run.outcome_of(0)
    assert isinstance(outcome, Failure)
    assert outcome.reason is Reason.DISRUPTED
    assert f"checkpointed at step {reached} of 6" in outcome.message
    assert run.train(2) == [0, 0]
    assert [line["step"] for line in run.steps()] == [1, 2, 3, 4, 5, 6]
    assert run.losses() == pytest.approx(undisturbed.losses(), abs=1e-5)


def test_the_same_ranks_resume_to_the_very_same_losses(make_run: MakeRun) -> None:
    whole, broken = make_run(checkpoint=KEEP), make_run(checkpoint=KEEP)
    assert whole.train(2) == [0, 0]
    told = Interruption(rank=0, signal=signal.SIGTERM, calls=3)
    assert broken.train(2, interruption=told) == [ExitCode.PREEMPTED, ExitCode.PREEMPTED]
    assert broken.train(2) == [0, 0]
    assert broken.losses() == whole.losses()
    assert broken.result.model_digest == whole.result.model_digest
    assert broken.result.validation_loss == whole.result.validation_loss


@pytest.mark.parametrize("stage", [1, 3])
def test_from_two_ranks_to_one_and_back_to_two(make_run: MakeRun, undisturbed: Run, stage: int) -> None:
    run = make_run(deepspeed=DeepSpeed(stage=stage), checkpoint=KEEP)
    told = Interruption(rank=0, signal=signal.SIGTERM, calls=2)
    assert run.train(2, interruption=told) == [ExitCode.PREEMPTED] * 2
    assert run.train(1, interruption=told) == [ExitCode.PREEMPTED]
    assert run.train(2) == [0, 0]
    assert run.column("ranks") == [2, 2, 1, 1, 2, 2]
    assert np.abs(np.subtract(run.losses(), undisturbed.losses())).max() < 1e-5


def test_sigkill_while_saving_leaves_the_last_whole_checkpoint(make_run: MakeRun, undisturbed: Run) -> None:
    run = make_run(checkpoint=EVERY_STEP)
    checkpoints = run.workspace.checkpoints
    killed = Interruption(rank=0, signal=signal.SIGKILL, calls=3, method="save_checkpoint")
    assert run.train(2, interruption=killed) == [-signal.SIGKILL, ExitCode.PEER_LOST]
    assert (checkpoints / "step-3.tmp").is_dir()
    assert json.loads((checkpoints / "latest.json").read_text())["step"] == 2
    assert run.train(2) == [0, 0]
    assert "resuming from the checkpoint of step 2" in run.log_of(0)
    assert run.losses() == pytest.approx(undisturbed.losses(), abs=1e-5)
    assert sorted(folder.name for folder in checkpoints.glob("step-*")) == ["step-5", "step-6"]


def test_a_hang_ends_the_rank_with_the_stacks_in_its_log(make_run: MakeRun) -> None:
    run = make_run(hang_timeout_minutes=0.05)  # far more than a step takes
    first, other = run.start(2, interruption=Interruption(rank=1, signal=signal.SIGSTOP, calls=1))
    try:
        first.join(120)
        assert first.exitcode == ExitCode.HANG
    finally:
        for rank in (first, other):
            rank.kill()
            rank.join()
    outcome = run.outcome_of(0)
    assert isinstance(outcome, Failure)
    assert "no step for 0.05 minutes (spec.training.hangTimeoutMinutes)" in outcome.message
    assert "(most recent call first)" in run.log_of(0)


def test_bf16_trains_like_fp32_within_its_precision(make_run: MakeRun, undisturbed: Run) -> None:
    run = make_run(precision=Precision.BF16)
    assert run.train() == [0]
    apart = np.abs(np.subtract(run.losses(), undisturbed.losses()))
    assert 0 < apart.max() < 0.05
    assert AutoModelForCausalLM.from_pretrained(run.workspace.model).dtype is torch.bfloat16


def test_a_lost_peer_is_told_apart(make_run: MakeRun) -> None:
    run = make_run()
    killed = Interruption(rank=1, signal=signal.SIGKILL, calls=1)
    assert run.train(2, interruption=killed) == [ExitCode.PEER_LOST, -signal.SIGKILL]


def test_a_checkpoint_of_another_configuration_is_refused_and_says_what_differs(make_run: MakeRun) -> None:
    run = make_run(checkpoint=EVERY_STEP)
    killed = Interruption(rank=0, signal=signal.SIGKILL, calls=2)
    assert run.train(interruption=killed) == [-signal.SIGKILL]
    pointer = (run.workspace.checkpoints / "latest.json").read_text()
    build_blend(digest="other rows").write(run.workspace.blend)
    assert run.train() == [ExitCode.OTHER_CHECKPOINT]
    outcome = run.outcome_of(0)
    assert isinstance(outcome, Failure)
    assert "the blend was blend and is other rows" in outcome.message
    assert (run.workspace.checkpoints / "latest.json").read_text() == pointer


def test_a_full_disk_leaves_the_last_checkpoint_and_says_so(make_run: MakeRun, undisturbed: Run) -> None:
    run = make_run(checkpoint=EVERY_STEP)
    assert run.train(2, room_for_checkpoints=2) == [ExitCode.STORAGE_FULL] * 2
    outcome = run.outcome_of(0)
    assert isinstance(outcome, Failure)
    assert "the checkpoint of step 2 stays" in outcome.message
    assert not list(run.workspace.checkpoints.glob("*.tmp"))
    assert run.train(2) == [0, 0]
    assert run.losses() == pytest.approx(undisturbed.losses(), abs=1e-5)


def test_training_stops_when_validation_no_longer_improves(make_run: MakeRun) -> None:
    run = make_run(early_stopping=EarlyStopping(patience=1), learning_rate=1.0)
    assert run.train() == [0]
    assert run.result.steps == 3


@pytest.mark.parametrize("precision", [Precision.FP32, Precision.BF16])
def test_numbers_that_run_away_end_the_training_with_advice(
    make_run: MakeRun, base_model: Path, tmp_path: Path, precision: Precision
) -> None:
    model = AutoModelForCausalLM.from_pretrained(base_model)
    model.model.norm.weight.data.fill_(torch.inf)
    model.save_pretrained(tmp_path / "damaged")
    run = make_run(precision=precision).with_model(tmp_path / "damaged")
    assert run.train() == [ExitCode.BAD_CONFIGURATION]
    outcome = run.outcome_of(0)
    assert isinstance(outcome, Failure)
    assert "step 1 is not a number" in outcome.message
    assert run.steps() == []


def test_a_blend_without_held_out_rows_has_no_validation_loss(make_run: MakeRun) -> None:
    run = make_run(build_blend(validation_bins=0))
    assert run.train() == [0]
    assert run.result.validation_loss == ()


def test_the_model_is_in_training_mode_without_a_validation_before(
    make_run: MakeRun, undisturbed: Run, base_model: Path, tmp_path: Path
) -> None:
    """Dropout shows it: but for that, the first loss is the undisturbed run's."""
    folder = tmp_path / "with-dropout"
    shutil.copytree(base_model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attention_dropout": 0.5}))
    blend = build_blend()
    nothing_held_out = replace(
        blend,
        validation_bin_examples=blend.validation_bin_examples[:0],
        validation_bin_offsets=blend.validation_bin_offsets[:1],
        validation_bin_sources=blend.validation_bin_sources[:0],
    )
    run = make_run(nothing_held_out).with_model(folder)
    assert run.train() == [0]
    assert run.losses()[0] == pytest.approx(undisturbed.losses()[0], abs=0.1)
    assert run.losses()[0] != undisturbed.losses()[0]


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        pytest.param(
            {"sequence_length": 24, "batch_tokens": 48}, ExitCode.BAD_DATA, "bins of 48", id="other bins"
        ),
        pytest.param(
            {"attention": "flash_attention_2"}, ExitCode.BAD_CONFIGURATION, "attention", id="no flash"
        ),
    ],
)
def test_what_cannot_be_trained_is_refused(
    make_run: MakeRun, changes: dict[str, object], code: ExitCode, text: str
) -> None:
    run = make_run().with_training(**changes)
    assert run.train() == [code]
    outcome = run.outcome_of(0)
    assert isinstance(outcome, Failure)
    assert text in outcome.message


def test_a_gpu_that_cuda_does_not_see_is_no_reason_to_train_on_cpu(make_run: MakeRun) -> None:
    run = make_run()
    run = replace(run, config=replace(run.config, gpu=GpuPreset(name="a100-80gb")))
    assert run.train() == [ExitCode.TRANSIENT]
    outcome = run.outcome_of(0)
    assert isinstance(outcome, Failure)
    assert "CUDA sees 0, and spec.cluster.gpuType a100-80gb promises one" in outcome.message
    assert run.steps() == []


def test_the_model_is_copied_to_its_second_home_by_rank_0_alone(make_run: MakeRun) -> None:
    """However long that takes: the other rank has ended while rank 0 is held in the middle of it."""
    run = make_run()
    spec = replace(run.config.spec, export=Export(uri="pvc://models/ads"))
    run = replace(run, config=replace(run.config, spec=spec))
    copying = "fsspec.implementations.local:LocalFileSystem"
    held = Interruption(rank=0, signal=signal.SIGSTOP, calls=1, method="put_file", owner=copying)
    first, other = run.start(2, interruption=held)
    try:
        assert finish([other]) == [0]
        assert first.exitcode is None
        assert first.pid is not None
        os.kill(first.pid, signal.SIGCONT)
        assert finish([first]) == [0]
    finally:
        first.kill()
    assert weights_digest(run.folder / "models" / "ads") == run.result.model_digest


def test_where_the_evaluation_chooses_it_copies_the_model(make_run: MakeRun) -> None:
    """The tuned model is not copied before another may be taken in its place."""
    run = make_run()
    evaluation = Evaluation(
        interpolation=Interpolation(weights=(0.5,)), gates=(Gate(metric=Metric.GENERAL, max_drop=0.1),)
    )
    spec = replace(run.config.spec, export=Export(uri="pvc://models/ads"), evaluation=evaluation)
    run = replace(run, config=replace(run.config, spec=spec))
    assert run.train() == [0]
    assert run.result.model_digest
    assert not (run.folder / "models" / "ads").exists()


def test_a_folder_that_holds_no_model_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run().with_model(tmp_path)
    assert run.train() == [ExitCode.BAD_MODEL]
