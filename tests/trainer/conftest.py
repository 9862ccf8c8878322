"""For every test of the trainer: the tiny model of tests.tiny_model, and the server of ranks."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tiny_model import CHATML, CHATML_WITH_MARKERS, build_tokenizer, write_tiny_model
from tests.trainer.training.ranks import start_rank_server
from transformers import PreTrainedTokenizerFast


@pytest.fixture(scope="session", autouse=True)
def _rank_server() -> None:
    start_rank_server()  # before the workers that encode rows start theirs


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """ChatML without `{% generation %}` markers."""
    return build_tokenizer(CHATML)


@pytest.fixture(scope="session")
def tokenizer_with_markers() -> PreTrainedTokenizerFast:
    return build_tokenizer(CHATML_WITH_MARKERS)


@pytest.fixture(scope="session")
def tokenizer_without_template() -> PreTrainedTokenizerFast:
    return build_tokenizer(None)


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory, tokenizer: PreTrainedTokenizerFast) -> Path:
    folder = tmp_path_factory.mktemp("base-model")
    write_tiny_model(folder, tokenizer)
    return folder
