"""Liger's kernels: that they compute what the models do, when they are taken, and how they are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.core.sizing.kept import SMALL
from transformers import AutoConfig

from blendtune_api.v1alpha1 import Attention, Kernels, Precision, Training
from blendtune_core.sizing.layout import fuses_layers
from blendtune_core.sizing.memory import activation_bytes
from blendtune_core.sizing.shape import FUSABLE, read_shape
from blendtune_runtime.errors import BadConfiguration
from blendtune_trainer.model import kernels
from blendtune_trainer.model.kernels import kernels_work, require_kernels

ROOT = Path(__file__).parents[3]
INTERPRETED = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
GPU = torch.device("cuda")


@pytest.fixture(scope="module")
def interpreted() -> Mapping[str, Any]:
    """What the kernels compute, by Triton's interpreter: no GPU is needed, and nothing is compiled."""
    command = [sys.executable, "-m", "tests.trainer.training.interpreted", *sorted(FUSABLE)]
    done = subprocess.run(command, cwd=ROOT, env=INTERPRETED, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.parametrize("model_type", sorted(FUSABLE))
def test_loss_and_gradients_are_those_without_them(interpreted: Mapping[str, Any], model_type: str) -> None:
    seen = interpreted["models"][model_type]
    assert len(seen["liger"]) == 2  # norms and feed-forward networks
    assert seen["fused"] == pytest.approx(seen["plain"], rel=1e-5)
    assert seen["gradientsApart"] < 1e-5


def test_the_sizing_knows_what_they_keep(interpreted: Mapping[str, Any]) -> None:
    shape = read_shape(SMALL | {"model_type": "llama", "num_key_value_heads": 2})
    fused, plain = (
        activation_bytes(
            shape,
            interpreted["kept"]["tokens"],
            checkpointing=False,
            attention=Attention.SDPA,
            fused=fused,
            element=4,
        )
        for fused in (True, False)
    )
    assert interpreted["kept"]["bytes"] == pytest.approx(fused, rel=0.05)
    assert fused < 0.8 * plain


@pytest.mark.parametrize(
    ("training", "on_gpu", "fusable", "expected"),
    [
        pytest.param(Training(), True, True, False, id="not unless asked for"),
        pytest.param(Training(kernels=Kernels.AUTO), True, True, True, id="auto on a GPU"),
        pytest.param(Training(kernels=Kernels.AUTO), False, True, False, id="auto without a GPU"),
        pytest.param(Training(kernels=Kernels.AUTO), True, False, False, id="auto, a model it does not know"),
        pytest.param(
            Training(kernels=Kernels.AUTO, precision=Precision.FP32), True, True, False, id="auto in fp32"
        ),
        pytest.param(Training(kernels=Kernels.LIGER), True, True, True, id="liger"),
    ],
)
def test_when_they_are_taken(training: Training, on_gpu: bool, fusable: bool, expected: bool) -> None:
    assert fuses_layers(training, on_gpu=on_gpu, fusable=fusable) is expected


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "cc")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("model_type", "device", "expected"),
    [
        ("gpt_neox", None, "liger is not known to compute a gpt_neox"),
        ("gpt_neox", GPU, "only gemma, llama"),
        ("llama", torch.device("cpu"), "liger needs a CUDA device; set auto or none"),
    ],
)
def test_it_is_refused_by_name(model_type: str, device: torch.device | None, expected: str) -> None:
    config = AutoConfig.for_model(model_type)
    with pytest.raises(BadConfiguration, match=expected) as refused:
        require_kernels(Training(kernels=Kernels.LIGER), config, device)
    assert str(refused.value).startswith("spec.training.kernels: ")
    require_kernels(Training(kernels=Kernels.AUTO), config, device)


@pytest.mark.usefixtures("installed")
def test_it_is_taken_where_all_is_there() -> None:
    llama = AutoConfig.for_model("llama")
    require_kernels(Training(kernels=Kernels.LIGER), llama)
    require_kernels(Training(kernels=Kernels.LIGER), llama, GPU)
    assert kernels_work(llama)
    assert not kernels_work(AutoConfig.for_model("gpt_neox"))


def test_an_image_without_a_compiler_is_told_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    llama = AutoConfig.for_model("llama")
    assert not kernels_work(llama)
    with pytest.raises(BadConfiguration, match=r"liger needs a C compiler, .*gcc or clang"):
        require_kernels(Training(kernels=Kernels.LIGER), llama)


def test_an_image_without_the_package_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(BadConfiguration, match="liger needs the liger-kernel package"):
        require_kernels(Training(kernels=Kernels.LIGER), AutoConfig.for_model("llama"))
