"""`make bench-gpu` takes all its paths with tiny shapes on a CPU, and says what it could not measure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BENCH = [sys.executable, "bench/gpu.py"]
ON_CPU = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}


def test_a_dry_run() -> None:
    done = subprocess.run([*BENCH, "--dry-run"], cwd=ROOT, env=ON_CPU, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("| tiny")]
    names = [row[0] for row in rows]
    assert names == [
        "tiny x 64, ZeRO-1, full",
        "tiny x 64, ZeRO-3, full, recompute enabled",
        "tiny x 64, ZeRO-2, lora, eager, auto",
    ]
    columns = [cell.strip() for cell in rows[0]]
    loss_error, resumed_apart = map(float, columns[-2:])
    assert loss_error < 1e-3  # the weights are in bf16 on disk, and fp32 in both
    assert resumed_apart == 0
    assert "answering by transformers: tiny" in done.stdout


def test_without_a_gpu_it_says_what_to_do() -> None:
    done = subprocess.run(BENCH, cwd=ROOT, env=ON_CPU, capture_output=True, text=True)
    assert done.returncode != 0
    assert "there is no GPU: --dry-run tries the bench without one" in done.stderr
