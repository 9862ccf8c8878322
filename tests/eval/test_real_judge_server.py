"""A judge behind servers that others wrote: the anchors must find that the model knows nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from tests.eval.conftest import save_model
from tests.llama_cpp import llama_cpp_folder
from transformers import PreTrainedTokenizerFast

from blendtune_api import v1alpha1
from blendtune_eval.api_client import Limits
from blendtune_eval.judging.judge import Case, Judgements
from blendtune_eval.judging.openai_judge import OpenAI
from blendtune_runtime.errors import BadConfiguration

pytestmark = pytest.mark.runs
START = 300.0  # seconds
ROOT = Path(__file__).resolve().parents[2]
VLLM = "BLENDTUNE_TEST_VLLM"  # the Python of an environment that has vLLM for this machine
SMALL = ROOT / ".cache" / "demo" / "smollm2-135m-instruct"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether the server answers, and does not say that it is still loading."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
    except urllib.error.HTTPError as answer:
        answer.close()
        return answer.code != HTTPStatus.SERVICE_UNAVAILABLE
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return True


@contextmanager
def running(port: int, *command: str | Path) -> Iterator[None]:
    """The server's process, from when it answers."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + START
        while not answers(port):
            assert process.poll() is None and time.monotonic() < end, "the server does not start"
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def llama_cpp(context: int) -> Iterator[str]:
    """The address of llama.cpp's server with Gemma 3 270M, whose context has so many tokens."""
    port, folder = free_port(), llama_cpp_folder()
    with running(port, sys.executable, "-m", "tests.llama_cpp", folder, str(port), str(context)):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def vllm() -> Iterator[str]:
    """The address of vLLM's server with SmolLM2-135M-Instruct; skips where one of the two is missing."""
    if not (python := os.environ.get(VLLM)):
        pytest.skip(
            f"{VLLM} names no Python with vLLM, whose packages are too large to be fetched for a test"
        )
    if not SMALL.is_dir():
        pytest.skip(f"{SMALL} is missing: `make demo` prepares it")
    port = free_port()
    place = f"--host=127.0.0.1 --port={port} --served-model-name=small --max-model-len=2048 --enforce-eager"
    with running(port, python, "-m", "vllm.entrypoints.openai.api_server", "--model", SMALL, *place.split()):
        yield f"http://127.0.0.1:{port}/v1"


def judge(url: str, model: str, case: Case, folder: Path) -> Judgements:
    spec = v1alpha1.OpenAIJudge(url=url, model=model)
    limits = Limits(first_wait=0.01, retries=0, concurrency=2)
    return OpenAI(spec, "", folder / "judgements", "one", limits).judge_all([case])


def test_transformers_serves_a_model_with_random_weights(
    tokenizer: PreTrainedTokenizerFast, right: Case, tmp_path: Path
) -> None:
    folder, port = save_model(tmp_path / "tiny", tokenizer, seed=1), free_port()
    program, place = Path(sys.executable).with_name("transformers"), f"--host=127.0.0.1 --port={port}"
    with running(port, program, "serve", folder, *place.split(), "--device=cpu"):
        judged = judge(f"http://127.0.0.1:{port}", str(folder), right, tmp_path)
    (score,) = judged.scores
    assert score.score is None
    assert "the judge missed 10 of 10 anchor answers, the first other-words" in score.unscored
    assert "It agreed on 0 of 10 anchor answers" in judged.statement
    assert all(anchor.fault for anchor in judged.anchors)


def test_llama_cpp_serves_a_model_that_is_too_small(right: Case, tmp_path: Path) -> None:
    with llama_cpp(context=4096) as url:
        judged = judge(f"{url}/v1/chat/completions", "gemma", right, tmp_path)
    (score,) = judged.scores
    assert score.score is None
    assert "of 10 anchor answers, the first" in score.unscored
    assert "model.gguf, prompt" in judged.statement
    # The server holds the model to the schema: each fault is a verdict, not a reply that cannot be read.
    assert "by JSON schema" in judged.statement
    assert all(anchor.fault.startswith("wrong on ") for anchor in judged.anchors if anchor.fault)


def test_llama_cpp_with_a_context_that_is_too_short_says_so(right: Case, tmp_path: Path) -> None:
    with llama_cpp(context=256) as url, pytest.raises(BadConfiguration, match="context"):
        judge(url, "gemma", right, tmp_path)


def test_vllm_serves_a_model_that_is_too_small(right: Case, tmp_path: Path) -> None:
    with vllm() as url:
        judged = judge(url, "small", right, tmp_path)
    (score,) = judged.scores
    assert score.score is None
    assert "of 10 anchor answers, the first" in score.unscored
    assert "which served small" in judged.statement
    assert "by JSON schema, with the sampling parameters of vLLM" in judged.statement
    assert any(anchor.fault.startswith("wrong on ") for anchor in judged.anchors)
