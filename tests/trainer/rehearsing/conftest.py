from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.data.blends import rows, write_rows

from blendtune_api import codec
from blendtune_api.contract import GpuPreset, RunConfig
from blendtune_api.v1alpha1 import BlendedFineTuneSpec
from blendtune_trainer.stage import Run


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """Claims with in-domain rows, and questions that have no answers."""
    data = tmp_path / "claims" / "data"
    data.mkdir(parents=True)
    write_rows(data / "ads.jsonl", rows(40, "ads", 12))
    return data.parent


@pytest.fixture
def make_run(claims: Path, base_model: Path) -> Callable[..., Run]:
    """A run of in-domain rows and of what the tiny model writes itself; both may be changed."""

    def make(
        rehearsal: dict[str, Any] | None = None, uid: str = "u1", name: str = "run", **source: Any
    ) -> Run:
        known: dict[str, Any] = {"name": "known", "role": "general", "uri": "self://", "weight": 50, **source}
        known["selfRehearsal"] = {"maxNewTokens": 12, "temperature": 1, **(rehearsal or {})}
        document = {
            "model": {"uri": f"file://{base_model}"},
            "blend": {
                "budget": {"epochs": 1},
                "sources": [
                    {"name": "ads", "role": "inDomain", "uri": "pvc://data/ads.jsonl", "weight": 50},
                    known,
                ],
                "validation": {"fraction": 0.1},
            },
            "training": {"sequenceLength": 256, "batchTokens": 1024},
            "storage": {"persistentVolumeClaim": "work", "sharedPath": "shared"},
        }
        config = RunConfig(
            uid=uid,
            namespace="default",
            name=name,
            spec=codec.decode(BlendedFineTuneSpec, document),
            gpu=GpuPreset(name="cpu"),
        )
        return Run(config=config, claims=claims)

    return make
