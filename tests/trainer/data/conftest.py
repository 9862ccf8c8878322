from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.data.blends import SEQUENCE_LENGTH, Change, rows, write_rows

from blendtune_api import codec
from blendtune_api.contract import GpuPreset, RunConfig
from blendtune_api.v1alpha1 import BlendedFineTuneSpec
from blendtune_trainer.stage import Run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A claim with the rows of the two sources of `make_run`."""
    folder = tmp_path / "claims" / "data"
    folder.mkdir(parents=True)
    write_rows(folder / "ads.jsonl", rows(40, "ads", 12))
    write_rows(folder / "general.jsonl", rows(150, "x", 5))
    return folder


@pytest.fixture
def make_run(data: Path, base_model: Path) -> Callable[..., Run]:
    """A run of two sources, 50/50, two passes over the in-domain one; `change` edits its spec's document."""

    def make(change: Change | None = None, uid: str = "u1") -> Run:
        document: dict[str, Any] = {
            "model": {"uri": f"file://{base_model}"},
            "blend": {
                "budget": {"epochs": 2},
                "sources": [
                    {"name": "ads", "role": "inDomain", "uri": "pvc://data/ads.jsonl", "weight": 50},
                    {"name": "general", "role": "general", "uri": "pvc://data/general.jsonl", "weight": 50},
                ],
                "validation": {"fraction": 0.1},
            },
            "training": {"sequenceLength": SEQUENCE_LENGTH, "batchTokens": 4 * SEQUENCE_LENGTH},
            "storage": {"persistentVolumeClaim": "work"},
        }
        if change is not None:
            change(document)
        config = RunConfig(
            uid=uid,
            namespace="default",
            name="run",
            spec=codec.decode(BlendedFineTuneSpec, document),
            gpu=GpuPreset(name="cpu"),
        )
        return Run(config=config, claims=data.parent)

    return make
