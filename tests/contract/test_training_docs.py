"""docs/training.md names every option with its default, and what it advises is accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.operator.builders import fine_tune

from blendtune_api import codec
from blendtune_api.contract import Env
from blendtune_api.fields import fields_of
from blendtune_api.v1alpha1 import GENERAL_MAX_EPOCHS, VALIDATION_FRACTION, Blend, Cluster, Training
from blendtune_operator import render
from blendtune_operator.names import Kind
from blendtune_operator.settings import Settings
from blendtune_trainer.training.ds_config import deepspeed_config

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/training.md").read_text()
ROWS = dict(re.findall(r"^\| `([\w.\[\]]+)` \| (.+?) \| .+ \|$", DOCS, re.MULTILINE))


def options(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path and value of every field with a default, those of nested objects one by one."""
    for field in fields_of(type(value)):
        if field.required:
            continue
        here, inner = f"{path}{field.json_name}", getattr(value, field.name)
        if is_dataclass(inner):
            yield from options(inner, f"{here}.")
        else:
            yield here, inner


@pytest.mark.parametrize(("path", "default"), list(options(Training())))
def test_every_training_option_is_documented_with_its_default(path: str, default: Any) -> None:
    written = codec.encode(default)
    assert ROWS[path] == f"`{written if isinstance(written, str) else json.dumps(written)}`"


def test_every_blend_option_is_documented_with_its_default() -> None:
    blend = Blend(sources=(), budget=fine_tune().spec.blend.budget)
    found = {path: value for path, value in options(blend) if value is not None}
    assert {path: ROWS[path] for path in found} == {path: f"`{value}`" for path, value in found.items()}
    assert ROWS["validation.fraction"] == f"`{VALIDATION_FRACTION}`"
    assert ROWS["sources[].maxEpochs"].startswith(f"`{GENERAL_MAX_EPOCHS:g}`")


def documented(kind: str) -> Any:
    """The example of the docs that sets this part of the spec's network."""
    blocks = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
    (found,) = (block for block in blocks if "NCCL_IB_HCA" in block or "hpz" in block if kind in block)
    return yaml.safe_load(found)[kind]


def test_the_network_settings_reach_the_pods() -> None:
    run = fine_tune(cluster=codec.decode(Cluster, documented("cluster")))
    rendered = render.children(run, Settings())
    job = next(child for child in rendered if child["kind"] == Kind.PYTORCH_JOB)
    template = job["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
    (container,) = template["spec"]["containers"]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    assert environment["NCCL_IB_HCA"] == "mlx5"
    assert environment[Env.RANKS_PER_NODE] == "8"
    assert container["resources"]["limits"] == {"nvidia.com/gpu": 8, "memory": "1Ti", "rdma/hca": 1}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "kueue.x-k8s.io/podset-required-topology" in template["metadata"]["annotations"]
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    assert volumes["shared-memory"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "64Gi"}


def test_hpz_reaches_deepspeed() -> None:
    training = codec.decode(Training, documented("training"))
    config = deepspeed_config(training, stage=3, bf16=True, world_size=32, on_cpu=False)
    assert config["zero_optimization"]["zero_hpz_partition_size"] == 8


def test_the_throughput_is_what_was_measured() -> None:
    measured = json.loads((ROOT / "bench/results/throughput.json").read_text())
    for name, arm in measured["arms"].items():
        (row,) = (line for line in DOCS.splitlines() if line.startswith(f"| {name} |"))
        assert f"| {arm['tokensPerSecond']:,.0f} (" in row
        for key in ("ratio", "ratioOfCpuTime"):
            if key in arm:
                assert (
                    f"| {arm[key]['median']:.2f} ({arm[key]['low']:.2f} to {arm[key]['high']:.2f}) |" in row
                )
