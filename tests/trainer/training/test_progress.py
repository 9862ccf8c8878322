"""The live progress and the metrics of a training."""

from __future__ import annotations

import json
import urllib.request
from urllib.error import HTTPError

import pytest

from blendtune_trainer.record.progress import Pace, ProgressBoard, serving
from blendtune_trainer.training.throughput import model_flops_utilisation


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def test_unknown_values_are_left_out_and_known_ones_shown() -> None:
    board = ProgressBoard()
    with serving(board, 0, "127.0.0.1") as port:
        metrics = get(port, "/metrics")
        assert "blendtune_training_loss " not in metrics
        assert 'blendtune_training_phase{phase="loading"} 1.0' in metrics
        assert json.loads(get(port, "/progress")) == {"step": 0, "steps": 0, "tokens": 0, "phase": "loading"}
        board.update(step=3, steps=10, loss=0.5, phase="training", gradient_norm=1.25)
        metrics = get(port, "/metrics")
        assert "blendtune_training_loss 0.5" in metrics
        assert "blendtune_training_gradient_norm 1.25" in metrics
        assert "gpu_memory" not in metrics
        assert "blendtune_training_divergence" not in metrics
        board.update(divergence_general=0.02)
        assert 'blendtune_training_divergence{role="general"} 0.02' in get(port, "/metrics")
        assert json.loads(get(port, "/progress"))["divergenceGeneral"] == 0.02
        board.update(gpu_memory_bytes=2**30)
        metrics = get(port, "/metrics")
        assert "blendtune_training_gpu_memory_peak_bytes 1.073741824e+09" in metrics
        assert "blendtune_training_gradient_norm 1.25" in metrics
        assert "process_resident_memory_bytes" in metrics
        assert json.loads(get(port, "/progress"))["loss"] == 0.5
        with pytest.raises(HTTPError, match="404") as caught:
            get(port, "/secrets")
        caught.value.close()


def test_pace_forgets_the_first_steps() -> None:
    pace = Pace()
    assert pace.tokens_per_second is None
    assert pace.seconds_for(3) is None
    pace.add(100, 50.0)
    for _ in range(20):
        pace.add(100, 2.0)
    assert pace.tokens_per_second == 50
    assert pace.seconds_for(3) == 6


def test_utilisation() -> None:
    cost = 8.31e10  # of LLaMA-13B
    assert model_flops_utilisation(1877, cost, 312e12) == pytest.approx(0.5, abs=0.005)
    assert model_flops_utilisation(1877, cost, None) is None
