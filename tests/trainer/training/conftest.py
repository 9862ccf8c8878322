from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.training.runs import Run

from blendtune_trainer.blending.packed import PackedBlend


@pytest.fixture
def make_run(tmp_path: Path, base_model: Path) -> Callable[..., Run]:
    """Makes runs, `make_run(blend, **training)`, each in a folder of its own."""
    made = 0

    def make(blend: PackedBlend | None = None, **training: Any) -> Run:
        nonlocal made
        made += 1
        folder = tmp_path / f"run-{made}"
        folder.mkdir()
        return Run.create(folder, base_model, blend, **training)

    return make
