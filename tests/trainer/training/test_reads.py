"""Nothing in a step waits for the device but the one read at its end, and no micro-batch does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.trainer.training.ranks import finish
from tests.trainer.training.reads import counting, start_counted_rank
from tests.trainer.training.runs import SEQUENCE_LENGTH, Run, build_blend
from transformers import AutoModelForCausalLM

from blendtune_api.contract import Env
from blendtune_api.v1alpha1 import DeepSpeed
from blendtune_trainer.model.attention import attend_within_examples
from blendtune_trainer.training.loss import SupervisedLoss
from blendtune_trainer.training.microbatch import Lookahead, assemble, forward

# DeepSpeed clips each of the optimizer's groups of parameters, matrices and vectors, by the norm of all, and
# reads it for each to see whether it is a number; once more in fp32.
CLIPPING = "is_invalid_grad_norm"
MOST_CLIPPING_READS = 3


@pytest.fixture
def reads_of(make_run: Callable[..., Run]) -> Callable[..., list[Counter[str]]]:
    """The reads of each step of a training, by the function that made them."""

    def reads(**training: Any) -> list[Counter[str]]:
        run = make_run(**training)
        places = run.folder / "reads.json"
        log = str(run.folder / "message-0")
        rank = {"RANK": "0", "LOCAL_RANK": "0", Env.TERMINATION_LOG: log}
        assert finish([start_counted_rank(run.environment(1) | rank, places)]) == [0], run.log_of(0)
        steps = json.loads(places.read_text())
        return [Counter(place.split(":")[-2] for place in step) for step in steps]

    return reads


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_a_step_of_four_micro_batches_reads_once(
    reads_of: Callable[..., list[Counter[str]]], stage: int
) -> None:
    """The first step of ZeRO-3 also traces the order of the modules, once in a training."""
    _, *steps = reads_of(batch_tokens=4 * SEQUENCE_LENGTH, deepspeed=DeepSpeed(stage=stage))
    assert len(steps) > 1
    for found in steps:
        clipping = found.pop(CLIPPING)
        assert clipping <= MOST_CLIPPING_READS
        assert found == {"sum_and_read": 1}


def test_the_counter_sees_every_kind_of_read() -> None:
    values = torch.arange(4.0)
    with counting() as places:
        values.sum().item()
        float(values[0])
        bool(values[0] > 1)
        values.tolist()
        torch.nonzero(values)
        values[values > 1]
        values[torch.tensor([0, 1])]  # its size is known
    kinds = [place.split()[0] for place in places]
    assert kinds == ["_local_scalar_dense"] * 3 + ["tolist", "nonzero", "index"]


def test_what_is_prepared_is_what_is_taken() -> None:
    blend = build_blend()
    ahead = Lookahead(blend, torch.device("cpu"))
    expected = assemble([blend.bin(2), blend.bin(3)], torch.device("cpu"))
    ahead.prepare((2, 3))
    prepared = ahead.take((2, 3))
    ahead.prepare((1,))
    for batch in (prepared, ahead.take((2, 3))):  # prepared, and asked for although another one was
        assert torch.equal(batch.input_ids, expected.input_ids)
        assert torch.equal(batch.targets, expected.targets)
        assert batch.examples.lengths == expected.examples.lengths


@pytest.fixture
def waiting_is_an_error() -> Iterator[None]:
    if not torch.cuda.is_available():
        pytest.skip("no GPU: CUDA can say which calls wait only where there is one")
    torch.cuda.set_sync_debug_mode("error")
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.usefixtures("waiting_is_an_error")
@pytest.mark.parametrize("one_kernel", [False, True])
def test_no_pass_waits_for_a_gpu(base_model: Path, one_kernel: bool) -> None:
    gpu = torch.device("cuda")
    model = AutoModelForCausalLM.from_pretrained(base_model, dtype=torch.bfloat16).to(gpu, non_blocking=True)
    attend_within_examples(model, SEQUENCE_LENGTH, one_kernel=one_kernel)
    loss = SupervisedLoss(model)
    for index in range(3):
        forward(loss, assemble([build_blend().bin(index)], gpu)).backward()
