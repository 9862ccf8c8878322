"""A judge behind a server that others wrote: `transformers serve`, with a model that knows nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.eval.conftest import save_model
from transformers import PreTrainedTokenizerFast

from blendtune_api import v1alpha1
from blendtune_eval.api_client import Limits
from blendtune_eval.judging.judge import Case
from blendtune_eval.judging.openai_judge import OpenAI

MISSING = [name for name in ("fastapi", "uvicorn", "openai") if find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"transformers serve needs {', '.join(MISSING)}: pip install transformers[serving]"
)
START = 300.0  # seconds


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def served(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> Iterator[v1alpha1.OpenAIJudge]:
    """A tiny model with random weights, behind the server."""
    folder = save_model(tmp_path / "tiny", tokenizer, seed=1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program, place = Path(sys.executable).with_name("transformers"), f"--host=127.0.0.1 --port={port}"
    process = subprocess.Popen(
        [program, "serve", folder, *place.split(), "--device=cpu"],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + START
        while not accepts(port):
            assert process.poll() is None and time.monotonic() < end, "the server does not start"
            time.sleep(0.2)
        yield v1alpha1.OpenAIJudge(url=f"http://127.0.0.1:{port}", model=str(folder))
    finally:
        process.terminate()
        process.wait(30)


def test_the_anchors_disqualify_a_judge_that_knows_nothing(
    served: v1alpha1.OpenAIJudge, right: Case, tmp_path: Path
) -> None:
    limits = Limits(first_wait=0.01, retries=0, concurrency=2)
    judged = OpenAI(served, "", tmp_path / "judgements", "one", limits).judge_all([right])
    (score,) = judged.scores
    assert score.score is None
    assert "the judge missed 10 of 10 anchor answers, the first other-words" in score.unscored
    assert "It agreed on 0 of 10 anchor answers" in judged.statement
    assert all(anchor.fault for anchor in judged.anchors)
