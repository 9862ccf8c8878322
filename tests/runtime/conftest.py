"""The tiny model of tests.tiny_model."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tiny_model import CHATML, build_tokenizer, write_tiny_model


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base-model")
    write_tiny_model(folder, build_tokenizer(CHATML))
    return folder
