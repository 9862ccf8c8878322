"""The tiny model of tests.tiny_model, and downloads in small requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.runtime.remote_model import CHUNK
from tests.tiny_model import CHATML, build_tokenizer, write_tiny_model


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base-model")
    write_tiny_model(folder, build_tokenizer(CHATML))
    return folder


@pytest.fixture
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    from blendtune_runtime.models import transfer

    monkeypatch.setattr(transfer, "_CHUNK_BYTES", CHUNK)
