"""The DeepSpeed configuration."""

from __future__ import annotations

import pytest

from blendtune_api.contract import ExitCode
from blendtune_api.v1alpha1 import DeepSpeed, Training
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.training.ds_config import deepspeed_config


def training(**overrides: object) -> Training:
    return Training(deepspeed=DeepSpeed(overrides=overrides), max_grad_norm=0.5)


def test_what_the_spec_says() -> None:
    config = deepspeed_config(training(), stage=2, bf16=True, world_size=4, on_cpu=False)
    assert config["zero_optimization"]["stage"] == 2
    assert config["gradient_clipping"] == 0.5
    assert config["bf16"] == {"enabled": True, "check_grad_overflow": False}
    assert config["train_batch_size"] == 4
    assert "checkpoint" not in config
    assert "reduce_bucket_size" not in config["zero_optimization"]


def test_on_cpu_buckets_are_small_unless_overridden() -> None:
    chosen = training(zero_optimization={"reduce_bucket_size": 7})
    zero = deepspeed_config(chosen, stage=1, bf16=False, world_size=1, on_cpu=True)["zero_optimization"]
    assert zero["reduce_bucket_size"] == 7
    assert zero["reduce_scatter"] is False


def test_overrides_are_merged_last_and_deeply() -> None:
    chosen = training(
        zero_optimization={"overlap_comm": True, "reduce_bucket_size": 10}, wall_clock_breakdown=True
    )
    config = deepspeed_config(chosen, stage=2, bf16=False, world_size=1, on_cpu=False)
    assert config["zero_optimization"]["overlap_comm"] is True
    assert config["zero_optimization"]["reduce_bucket_size"] == 10
    assert config["zero_optimization"]["stage"] == 2
    assert config["wall_clock_breakdown"] is True


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        pytest.param({"optimizer": {"type": "Adam"}}, "spec.training.adam", id="optimizer"),
        pytest.param({"zero_optimization": {"stage": 3}}, "spec.training.deepspeed.stage", id="stage"),
        pytest.param({"gradient_accumulation_steps": 4}, "spec.training.batchTokens", id="accumulation"),
        pytest.param({"bf16": {"enabled": False}}, "spec.training.precision", id="precision"),
    ],
)
def test_what_the_spec_sets_cannot_be_overridden(overrides: dict[str, object], field: str) -> None:
    with pytest.raises(BadConfiguration, match=field) as caught:
        deepspeed_config(training(**overrides), stage=1, bf16=False, world_size=1, on_cpu=False)
    assert caught.value.exit_code is ExitCode.BAD_CONFIGURATION
