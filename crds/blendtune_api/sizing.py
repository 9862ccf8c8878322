"""Whether a training fits its GPUs: memory per GPU by ZeRO stage, and the fewest GPUs that would do.

Mixed precision with Adam throughout: 16-bit parameters and gradients, fp32 master weights and moments. All
sizes are in bytes, a GB is 10^9 of them. The estimates are rough (10% or so); `USABLE_MEMORY` leaves room for
what they don't count.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from blendtune_api.v1alpha1 import ActivationCheckpointing

STAGES = (1, 2, 3)
USABLE_MEMORY = 0.92  # of a GPU; the rest goes to the CUDA context, NCCL buffers and fragmentation


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizing:
    """The verdict. `smallest_number_of_gpus` is None where memory is unknown or no number would do."""

    memory_bytes_per_gpu: int
    fits: bool
    smallest_number_of_gpus: int | None
    message: str


def model_state_bytes(parameters: int, stage: int, ranks: int, largest_layer_parameters: int = 0) -> int:
    """Parameters, gradients and optimizer states on one GPU.

    Stages 2 and 3 are DeepSpeed's estimate_zero{2,3}_model_states_mem_needs without offload; stage 1 is stage
    2 with whole 16-bit gradients on every GPU (arXiv 1910.02054, section 5).
    """
    whole, divided = _model_states(parameters, stage, largest_layer_parameters)
    return whole + ceil(divided / ranks)


def activation_bytes(
    tokens: int, hidden_size: int, layers: int, vocabulary_size: int, *, checkpointing: bool
) -> int:
    """Activations of one micro-batch of `tokens`, with attention that stores no score matrix.

    A layer keeps 34 bytes per token and hidden unit (arXiv 2205.05198, section 4.1, without the attention
    scores); checkpointing keeps its 2-byte input, plus one layer that is recomputed. A logit takes 10 bytes:
    the 16-bit one, its fp32 copy, and the copy's gradient.
    """
    layer = 34 * tokens * hidden_size
    kept = layers * 2 * tokens * hidden_size + layer if checkpointing else layers * layer
    return kept + 10 * tokens * vocabulary_size


def zero_stage(
    requested: int | str,
    parameters: int,
    ranks: int,
    gpu_memory_bytes: int | None,
    *,
    activations: int = 0,
    largest_layer_parameters: int = 0,
) -> int:
    """The ZeRO stage to run: the requested one, or for `auto` the least that fits, 3 where none does.

    One rank has nothing to divide and takes 1; where the GPU's memory is unknown several ranks take 2, which
    costs no more communication than 1.
    """
    if requested != "auto":
        return int(requested)
    if ranks == 1:
        return 1
    if gpu_memory_bytes is None:
        return 2
    room = gpu_memory_bytes * USABLE_MEMORY - activations
    fitting = (
        stage
        for stage in STAGES
        if model_state_bytes(parameters, stage, ranks, largest_layer_parameters) <= room
    )
    return next(fitting, 3)


def checkpoints_activations(
    requested: ActivationCheckpointing,
    model_states: int,
    gpu_memory_bytes: int | None,
    *,
    activations: int,
) -> bool:
    """Whether to recompute activations; for `auto` only when all of them would not fit."""
    if requested is not ActivationCheckpointing.AUTO or gpu_memory_bytes is None:
        return requested is ActivationCheckpointing.ENABLED
    return model_states + activations > gpu_memory_bytes * USABLE_MEMORY


def fits(
    parameters: int,
    stage: int,
    ranks: int,
    gpu_memory_bytes: int | None,
    *,
    activations: int = 0,
    largest_layer_parameters: int = 0,
) -> Sizing:
    """Whether model states and activations fit on each of `ranks` GPUs. Unknown memory always fits."""
    needed = model_state_bytes(parameters, stage, ranks, largest_layer_parameters) + activations
    demand = (
        f"ZeRO stage {stage} needs about {_gb(needed)} per GPU for {parameters / 1e9:.3g} billion parameters "
        f"on {_gpus(ranks)}"
    )
    if gpu_memory_bytes is None:
        return Sizing(
            memory_bytes_per_gpu=needed,
            fits=True,
            smallest_number_of_gpus=None,
            message=f"{demand}; the memory of this GPU type is not known, so nothing was checked",
        )
    room = int(gpu_memory_bytes * USABLE_MEMORY)
    smallest = {
        each: _smallest_number_of_gpus(parameters, each, room - activations, largest_layer_parameters)
        for each in STAGES
    }
    enough = needed <= room
    offer = f"{demand}; {_gb(room)} of {_gb(gpu_memory_bytes)} can be used"
    return Sizing(
        memory_bytes_per_gpu=needed,
        fits=enough,
        smallest_number_of_gpus=smallest[stage],
        message=offer if enough else f"{offer}. {_advice(stage, ranks, smallest)}",
    )


def _model_states(parameters: int, stage: int, largest_layer_parameters: int) -> tuple[int, int]:
    """Bytes that every GPU holds, and bytes that the ranks divide among them."""
    if stage == 1:
        return 4 * parameters, 16 * parameters
    if stage == 2:
        return 2 * parameters, 18 * parameters
    if stage == 3:
        return 4 * largest_layer_parameters, 18 * parameters
    raise ValueError(f"there is no ZeRO stage {stage}: it must be 1, 2 or 3")


def _smallest_number_of_gpus(
    parameters: int, stage: int, room: int, largest_layer_parameters: int
) -> int | None:
    whole, divided = _model_states(parameters, stage, largest_layer_parameters)
    return max(1, ceil(divided / (room - whole))) if room > whole else None


def _advice(stage: int, ranks: int, smallest: dict[int, int | None]) -> str:
    remedies = []
    for higher in range(stage + 1, STAGES[-1] + 1):
        number = smallest[higher]
        if number is not None and number <= ranks:
            remedies.append(f"set training.deepspeed.stage to {higher}")
            break
    number = smallest[stage]
    if number is not None:
        remedies.append(f"use at least {_gpus(number)}")
    remedies.append("use GPUs with more memory, a smaller model or a smaller sequenceLength")
    advice = ", or ".join(remedies)
    return advice[0].upper() + advice[1:]


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def _gpus(number: int) -> str:
    return f"{number} GPU{'' if number == 1 else 's'}"
