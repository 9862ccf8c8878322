"""The benches use the packages as they are: what nobody runs for weeks still has to begin."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from blendtune_trainer.training.loop import TrainingLoop

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])


def test_the_throughput_bench_has_a_blend(tmp_path: Path) -> None:
    from arms import workload

    blend, achieved = workload.make_blend(tmp_path / "blend")
    placed = np.bincount(blend.example_sources[blend.bin_examples])
    assert [source.examples for source in achieved] == placed.tolist()
    ids, labels = workload.blended_examples(blend)[0]
    assert len(ids) == len(labels) > sum(label >= 0 for label in labels) > 0


def test_its_own_arm_can_take_turns() -> None:
    assert callable(TrainingLoop._take_step)


@pytest.mark.parametrize(
    "module",
    [
        "answering",
        "divergence_cost",
        "engines",
        "forgetting",
        "general300",
        "nodes",
        "plan_scale",
        "preparing",
        "throughput",
        "operator_scale",
        "training_operator_scale",
        "ui",
    ],
)
def test_a_bench_finds_what_it_imports(module: str) -> None:
    __import__(module)
