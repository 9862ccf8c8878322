"""Trainings of a LoRA: the same numbers on any ranks, and a base model that stays as it was."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from tests.trainer.training.ranks import Interruption
from tests.trainer.training.rows import CPU
from tests.trainer.training.runs import Run, build_blend
from transformers import AutoModelForCausalLM, AutoTokenizer

from blendtune_api.contract import ExitCode, weights_digest
from blendtune_api.v1alpha1 import (
    ActivationCheckpointing,
    AfterSuccess,
    Checkpoint,
    DeepSpeed,
    Export,
    Lora,
    LoraExport,
    Method,
)
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_trainer.model.base_model import empty_model
from blendtune_trainer.model.lora import adapter_parameters
from blendtune_trainer.training.loss import SupervisedLoss
from blendtune_trainer.training.microbatch import assemble, forward

pytestmark = [
    # peft still asks transformers 5 by the old name.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
]

MakeRun = Callable[..., Run]
KEEP = Checkpoint(every_minutes=600, after_success=AfterSuccess.KEEP)
LORA = {"method": Method.LORA, "lora": Lora(rank=4, alpha=8), "learning_rate": 3e-2}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, base_model: Path) -> Run:
    """One rank at ZeRO-1, from start to end."""
    run = Run.create(tmp_path_factory.mktemp("undisturbed"), base_model, **LORA)
    assert run.train() == [0]
    return run


@pytest.mark.parametrize(
    ("ranks", "stage"),
    [
        pytest.param(1, 3, id="1 rank, ZeRO-3"),
        pytest.param(2, 1, id="2 ranks, ZeRO-1"),
        pytest.param(2, 3, id="2 ranks, ZeRO-3"),
    ],
)
def test_ranks_and_zero_stage_change_no_number(
    make_run: MakeRun, undisturbed: Run, ranks: int, stage: int
) -> None:
    run = make_run(deepspeed=DeepSpeed(stage=stage), **LORA)
    assert run.train(ranks) == [0] * ranks
    assert run.losses() == pytest.approx(undisturbed.losses(), abs=1e-5)
    assert run.column("gradNorm") == pytest.approx(undisturbed.column("gradNorm"), rel=1e-4)
    for ours, theirs in zip(run.result.validation_loss, undisturbed.result.validation_loss, strict=True):
        assert (ours.before, ours.after) == pytest.approx((theirs.before, theirs.after), abs=1e-4)
    tuned, expected = (load_file(each.workspace.model / "model.safetensors") for each in (run, undisturbed))
    assert tuned.keys() == expected.keys()
    for name, weight in tuned.items():
        assert torch.allclose(weight, expected[name], atol=1e-4), name


def test_it_learns_and_leaves_the_base_model_alone(undisturbed: Run, base_model: Path) -> None:
    assert undisturbed.losses()[-1] < undisturbed.losses()[0] - 0.15
    base = AutoModelForCausalLM.from_pretrained(base_model)
    tuned = AutoModelForCausalLM.from_pretrained(undisturbed.workspace.model)
    unlike = {
        name
        for name, weight in tuned.state_dict().items()
        if not torch.equal(weight, base.state_dict()[name])
    }
    linear = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    assert unlike == {name for name in base.state_dict() if name.split(".")[-2] in linear}


def test_the_adapter_over_the_base_model_is_the_merged_model(undisturbed: Run, base_model: Path) -> None:
    home = undisturbed.workspace
    base = AutoModelForCausalLM.from_pretrained(base_model)
    adapted = PeftModel.from_pretrained(base, str(home.adapter))
    merged = AutoModelForCausalLM.from_pretrained(home.model)
    row = torch.from_numpy(build_blend().bin(0).input_ids)[None]
    with torch.no_grad():
        assert torch.allclose(adapted(row).logits, merged(row).logits, atol=1e-4)
    assert adapted.peft_config["default"].base_model_name_or_path == f"file://{base_model}"
    assert undisturbed.result.model_digest == weights_digest(home.model)
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in home.adapter.iterdir())


def test_the_merged_model_has_the_loss_that_the_training_measured(undisturbed: Run) -> None:
    model = AutoModelForCausalLM.from_pretrained(undisturbed.workspace.model)
    blend = build_blend()
    sums, counts = [0.0, 0.0], [0, 0]
    for index in range(blend.num_validation_bins):
        contents = blend.validation_bin(index)
        source = int(blend.validation_bin_sources[index])
        with torch.no_grad():
            sums[source] += forward(SupervisedLoss(model), assemble([contents], CPU)).item()
        counts[source] += contents.supervised_tokens
    measured = [loss.after for loss in undisturbed.result.validation_loss]
    assert [total / count for total, count in zip(sums, counts, strict=True)] == pytest.approx(
        measured, abs=1e-4
    )


def test_the_merged_model_answers_with_its_chat_template(undisturbed: Run, base_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(undisturbed.workspace.model)
    tokenizer = AutoTokenizer.from_pretrained(undisturbed.workspace.model)
    trained_with = load_tokenizer(base_model, undisturbed.config.spec.model.chat_template)
    assert tokenizer.chat_template == trained_with.chat_template
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.config.use_cache
    assert model.lm_head.weight is model.model.embed_tokens.weight


@pytest.mark.parametrize("stage", [1, 3])
def test_the_same_ranks_resume_to_the_very_same_losses(make_run: MakeRun, stage: int) -> None:
    settings = {"checkpoint": KEEP, "deepspeed": DeepSpeed(stage=stage), **LORA}
    whole, broken = make_run(**settings), make_run(**settings)
    assert whole.train(2) == [0, 0]
    told = Interruption(rank=0, signal=signal.SIGTERM, calls=3)
    assert broken.train(2, interruption=told) == [ExitCode.PREEMPTED, ExitCode.PREEMPTED]
    saved = sum(file.stat().st_size for file in broken.workspace.checkpoints.glob("step-*/*"))
    assert broken.train(2) == [0, 0]
    assert broken.losses() == whole.losses()
    assert broken.result.model_digest == whole.result.model_digest
    assert saved < 450_000, "a checkpoint holds no base weights"


@pytest.mark.parametrize(
    ("stage", "first", "then"),
    [pytest.param(2, 2, 1, id="ZeRO-2, 2 to 1"), pytest.param(3, 1, 2, id="ZeRO-3, 1 to 2")],
)
def test_another_number_of_ranks_goes_on(
    make_run: MakeRun, undisturbed: Run, stage: int, first: int, then: int
) -> None:
    run = make_run(deepspeed=DeepSpeed(stage=stage), checkpoint=KEEP, **LORA)
    told = Interruption(rank=0, signal=signal.SIGTERM, calls=2)
    assert run.train(first, interruption=told) == [ExitCode.PREEMPTED] * first
    assert run.train(then) == [0] * then
    assert run.losses() == pytest.approx(undisturbed.losses(), abs=1e-4)


def test_recomputed_activations_change_no_number(make_run: MakeRun, undisturbed: Run) -> None:
    run = make_run(activation_checkpointing=ActivationCheckpointing.ENABLED, **LORA)
    assert run.train() == [0]
    assert run.losses() == pytest.approx(undisturbed.losses(), abs=1e-5)


@pytest.mark.parametrize(
    "targets",
    [
        pytest.param((), id="all linear layers"),
        pytest.param(("q_proj", "self_attn.v_proj"), id="two of them, by the end of their names"),
    ],
)
def test_peft_trains_as_many_parameters_as_are_counted(base_model: Path, targets: tuple[str, ...]) -> None:
    lora = Lora(rank=3, target_modules=targets)
    config = LoraConfig(r=3, target_modules=list(targets) or "all-linear", task_type="CAUSAL_LM")
    adapted: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base_model), config)
    assert adapter_parameters(empty_model(base_model), lora) == adapted.get_nb_trainable_parameters()[0]


@pytest.mark.parametrize(
    ("export", "file"),
    [
        pytest.param(LoraExport.MERGED, "model.safetensors", id="merged"),
        pytest.param(LoraExport.ADAPTER, "adapter_model.safetensors", id="adapter"),
    ],
)
def test_the_second_home_gets_what_was_asked_for(make_run: MakeRun, export: LoraExport, file: str) -> None:
    run = make_run(**(LORA | {"lora": Lora(rank=4, export=export)}))
    spec = replace(run.config.spec, export=Export(uri="pvc://models/ads"))
    run = replace(run, config=replace(run.config, spec=spec))
    assert run.train() == [0]
    target = run.folder / "models" / "ads"
    assert [path.name for path in target.glob("*.safetensors")] == [file]
    assert (target / "tokenizer_config.json").is_file()
    assert weights_digest(run.workspace.model) == run.result.model_digest
