"""The sizing against what others have published: layouts that ran, and tables of what a training needs.

None of it was measured with this trainer. llm-foundry's tables say which micro-batches ran on GPUs of 80 GB,
not their peaks, so that they bound an estimate from above only. Its MPT models have the sizes of LLaMA, but a
feed-forward network without a gate and other norms, which keep about a tenth less: hence the tolerance.
LLaMA-Factory's table is rounded. torchtune's peaks were left out: they are those of
optimizers in 8 or 16 bits, of offloading, or of examples whose length is not stated.
"""

from __future__ import annotations

import pytest

from blendtune_api.v1alpha1 import Attention, Lora, Method, Training
from blendtune_core.sizing.known import LLAMA
from blendtune_core.sizing.memory import memory, model_state_bytes
from blendtune_core.sizing.shape import read_shape
from blendtune_core.sizing.weights import Weights, training_weights

A100_80GB = 81_920 * 2**20  # bytes
GATE_AND_NORMS = 1.1


# https://github.com/mosaicml/llm-foundry/blob/main/scripts/train/benchmarking/README.md, "A100 80GB with 1600
# Gbps node-node interconnect (RoCE)": eight GPUs, amp_bf16, FULL_SHARD, no offloading.
@pytest.mark.parametrize(
    ("size", "parameters", "sequence_length", "micro_batch", "recomputed"),
    [
        pytest.param("7B", 6_658_859_008, 2048, 6, False, id="7b of 2,048, kept"),
        pytest.param("7B", 6_667_247_616, 4096, 16, True, id="7b of 4,096"),
        pytest.param("7B", 6_684_024_832, 8192, 8, True, id="7b of 8,192"),
        pytest.param("13B", 12_853_954_560, 2048, 2, False, id="13b of 2,048, kept"),
        pytest.param("13B", 12_848_711_680, 1024, 40, True, id="13b of 1,024"),
        pytest.param("13B", 12_864_440_320, 4096, 10, True, id="13b of 4,096"),
        pytest.param("33B", 29_967_874_048, 1024, 6, True, id="30b of 1,024"),
        pytest.param("33B", 29_975_214_080, 2048, 3, True, id="30b of 2,048"),
        pytest.param("33B", 29_989_894_144, 4096, 1, True, id="30b of 4,096"),
        pytest.param("33B", 30_019_254_272, 8192, 1, True, id="30b of 8,192"),
    ],
)
def test_what_ran_on_eight_gpus_fits_by_the_estimate(
    size: str, parameters: int, sequence_length: int, micro_batch: int, recomputed: bool
) -> None:
    estimate = memory(
        read_shape(LLAMA[size]),
        Weights(trained=parameters),
        micro_batch * sequence_length,
        stage=3,
        ranks=8,
        checkpointing=recomputed,
        attention=Attention.VARLEN,
    )
    assert estimate.total <= A100_80GB * GATE_AND_NORMS
    assert estimate.total >= A100_80GB / 2  # they were chosen to fill the GPU


# https://github.com/hiyouga/LLaMA-Factory, README, "Hardware Requirement": full, in mixed precision.
@pytest.mark.parametrize(
    ("size", "gigabytes"),
    [("7B", 120), ("13B", 240), ("33B", 600), pytest.param("65B", 1200, id="70B, by the LLaMA of 65B")],
)
def test_the_model_states_of_full_fine_tuning(size: str, gigabytes: int) -> None:
    weights = Weights(trained=read_shape(LLAMA[size]).parameters)
    assert model_state_bytes(weights, 3, 1) / 1e9 == pytest.approx(gigabytes, rel=0.05)


# The same table, LoRA in 16 bits.
@pytest.mark.parametrize(("size", "gigabytes"), [("7B", 16), ("13B", 32), ("33B", 64)])
def test_the_model_states_of_a_lora(size: str, gigabytes: int) -> None:
    shape = read_shape(LLAMA[size])
    weights = training_weights(shape, Training(method=Method.LORA, lora=Lora(rank=8)))
    states = model_state_bytes(weights, 1, 1) / 1e9
    assert states == pytest.approx(gigabytes, rel=0.2)
