"""The models that a training exports after each pass but the last."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.trainer.training.ranks import Interruption
from tests.trainer.training.runs import BINS_PER_STEP, Run, build_blend, build_config
from transformers import AutoModelForCausalLM, AutoTokenizer

from blendtune_api.contract import ExitCode, RunConfig, weights_digest
from blendtune_api.v1alpha1 import AfterSuccess, Budget, Checkpoint, DeepSpeed, EpochModel, Lora, Method
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.blending.lineage import Lineage, SourcePosition, read_lineage, write_lineage
from blendtune_trainer.training.plan import planned_models

MakeRun = Callable[..., Run]
KEEP = Checkpoint(every_minutes=600, after_success=AfterSuccess.KEEP)


def every_epoch(config: RunConfig, budget: Budget) -> RunConfig:
    spec = config.spec
    blend, evaluation = replace(spec.blend, budget=budget), replace(spec.evaluation, every_epoch=True)
    return replace(config, spec=replace(spec, blend=blend, evaluation=evaluation))


def asking(run: Run, epochs: float) -> Run:
    return replace(run, config=every_epoch(run.config, Budget(epochs=epochs)))


def test_each_pass_leaves_its_model_and_changes_no_number(make_run: MakeRun) -> None:
    asked, plain = asking(make_run(deepspeed=DeepSpeed(stage=3)), 3), make_run(deepspeed=DeepSpeed(stage=3))
    assert asked.train(2) == [0, 0]
    assert plain.train(2) == [0, 0]
    assert asked.losses() == plain.losses()
    assert asked.result.model_digest == plain.result.model_digest
    assert [(model.epoch, model.step) for model in asked.result.epochs] == [(1, 2), (2, 4)]
    for model in asked.result.epochs:
        folder = asked.workspace.epoch(model.epoch).model
        assert weights_digest(folder) == model.digest
        assert AutoTokenizer.from_pretrained(folder).chat_template
    assert len({asked.result.model_digest, *(model.digest for model in asked.result.epochs)}) == 3
    assert plain.result.epochs == ()
    assert not (plain.workspace.root / "epochs").exists()


def test_a_resumed_training_leaves_the_same_models(make_run: MakeRun) -> None:
    whole, broken = (asking(make_run(checkpoint=KEEP), 3) for _ in range(2))
    assert whole.train() == [0]
    told = Interruption(rank=0, signal=signal.SIGTERM, calls=3)
    assert broken.train(interruption=told) == [ExitCode.PREEMPTED]
    kept = broken.workspace.epoch(1).model.stat().st_mtime_ns
    assert broken.train() == [0]
    assert broken.result.epochs == whole.result.epochs
    assert broken.workspace.epoch(1).model.stat().st_mtime_ns == kept, "it was there already"


def test_what_was_exported_after_the_last_checkpoint_is_exported_again(make_run: MakeRun) -> None:
    run = asking(make_run(checkpoint=KEEP), 3)
    killed = Interruption(rank=0, signal=signal.SIGKILL, calls=3)
    assert run.train(interruption=killed) == [-signal.SIGKILL]
    first = weights_digest(run.workspace.epoch(1).model)
    assert run.train() == [0]
    assert [model.epoch for model in run.result.epochs] == [1, 2]
    assert run.result.epochs[0].digest == first


def test_a_lora_leaves_merged_models_and_adapters(make_run: MakeRun, base_model: Path) -> None:
    run = asking(make_run(method=Method.LORA, lora=Lora(rank=2), learning_rate=3e-2), 2)
    assert run.train() == [0]
    home = run.workspace.epoch(1)
    assert (home.adapter / "adapter_model.safetensors").is_file()
    base, tuned = (AutoModelForCausalLM.from_pretrained(each) for each in (base_model, home.model))
    names = ("model.layers.0.mlp.up_proj.weight", "model.embed_tokens.weight")
    same = [torch.equal(base.state_dict()[name], tuned.state_dict()[name]) for name in names]
    assert same == [False, True]


def test_the_models_tell_how_far_they_have_come(make_run: MakeRun) -> None:
    run = asking(make_run(), 2)
    positions = (
        SourcePosition(name="ads", digest="a", examples=24, taken=5),
        SourcePosition(name="general", digest="g", examples=24, taken=0),
    )
    write_lineage(run.workspace.blend, Lineage(seed=42, sources=positions))
    assert run.train() == [0]
    taken = []
    for folder in (run.workspace.epoch(1).model, run.workspace.model):
        lineage = read_lineage(folder)
        assert lineage is not None
        taken.append([source.taken for source in lineage.sources])
    assert taken == [[5 + 15, 12], [5 + 24, 24]]  # of 16 bins of three examples, nine at the end of epoch 1


def test_a_finished_training_without_the_asked_models_is_done_again(make_run: MakeRun) -> None:
    run = make_run()
    assert run.train() == [0]
    again = asking(run, 2)
    assert again.train() == [0]
    assert again.result.epochs == (EpochModel(epoch=1, step=3, digest=again.result.epochs[0].digest),)


@pytest.mark.parametrize(
    ("budget", "models"),
    [
        pytest.param(Budget(epochs=1), {}, id="one pass: the last"),
        pytest.param(Budget(epochs=2.5), {3: 1, 5: 2}, id="a last pass cut short"),
        pytest.param(Budget(epochs=15), {1: 2, 2: 5, 3: 7, 4: 10, 5: 12}, id="more passes than steps"),
        pytest.param(Budget(tokens=1000), {}, id="tokens for less than two passes"),
    ],
)
def test_when_a_model_is_due(budget: Budget, models: dict[int, int]) -> None:
    config = every_epoch(build_config(Path("/models/base")), budget)
    assert planned_models(config.spec, build_blend()) == models


def test_a_budget_of_tokens_has_passes_too() -> None:
    blend = build_blend(bins=4 * BINS_PER_STEP)
    twice = replace(blend, bin_examples=blend.bin_examples % (len(blend.bin_examples) // 2))
    config = every_epoch(build_config(Path("/models/base")), Budget(tokens=1000))
    assert planned_models(config.spec, twice) == {2: 1}


def test_more_models_than_a_message_holds_are_refused() -> None:
    config = every_epoch(build_config(Path("/models/base")), Budget(epochs=40))
    with pytest.raises(BadConfiguration, match=r"spec\.evaluation\.everyEpoch: 39 models"):
        planned_models(config.spec, build_blend(bins=40 * BINS_PER_STEP))
