"""The process group of a training. The only module that imports and configures DeepSpeed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed

if not torch.cuda.is_available():
    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # read when DeepSpeed is imported

import deepspeed
import deepspeed.ops

from blendtune_api.contract import GpuPreset
from blendtune_runtime.errors import Transient
from blendtune_trainer.ranks.hosts import is_loopback
from blendtune_trainer.ranks.transfer import send

# On CPU DeepSpeed would compile its shared-memory collectives at first use; gloo needs no compiler.
deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranks:
    """This process within the process group, with the collectives that the training uses."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which writes files and prints."""
        return self.rank == 0

    def peak_memory_bytes(self) -> int | None:
        """Peak of the memory that this rank has allocated on its GPU; None on CPU."""
        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else None

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the ranks, in double precision."""
        return self.sum_and_read(values)[0]

    def sum_and_read(
        self, summed: Sequence[float | Tensor], own: Sequence[float | Tensor | None] = ()
    ) -> tuple[list[float], list[float | None]]:
        """Each value of `summed` summed over the ranks, in double precision; those of `own` as they are here.

        Tensors hold one number each, on the device of this rank. The host waits for the device once.
        """
        total = self._vector(summed)
        distributed.all_reduce(total)
        present = [value for value in own if value is not None]
        read = iter(torch.cat([total, self._vector(present)]).tolist())
        return [next(read) for _ in summed], [None if value is None else next(read) for value in own]

    def _vector(self, values: Sequence[float | Tensor]) -> Tensor:
        """float64[len(values)] on the device of this rank."""
        numbers = [0.0 if isinstance(value, Tensor) else float(value) for value in values]
        vector = send(torch.tensor(numbers, dtype=torch.float64), self.device)
        for index, value in enumerate(values):
            if isinstance(value, Tensor):
                vector[index].copy_(value.detach().squeeze())
        return vector

    def sum_arrays(self, values: Tensor) -> Tensor:
        """Each value summed over the ranks. `values` is on the CPU and has one shape on all ranks."""
        moved = values.to(self.device)
        distributed.all_reduce(moved)
        return moved.cpu()

    def any(self, flag: bool) -> bool:
        """Whether the flag is true on any rank."""
        return self.sum([float(flag)])[0] > 0

    def broadcast(self, value: Any) -> Any:
        """The value of rank 0, pickled; the values of the other ranks are ignored."""
        box = [value]
        distributed.broadcast_object_list(box, src=0, device=self.device)
        return box[0]

    def barrier(self) -> None:
        """Returns once every rank has called it."""
        self.sum([0.0])

    def destroy_process_group(self) -> None:
        """Leaves the process group; every rank calls it. No collective is possible afterwards."""
        deepspeed.comm.destroy_process_group()


def init_process_group(environment: Mapping[str, str], preset: GpuPreset, timeout: timedelta) -> Ranks:
    """Joins the process group that RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT describe.

    A peer that does not join, or does not answer a collective, within `timeout` counts as lost. Raises
    Transient if this rank has no GPU although the preset has one.
    """
    local_rank = int(environment["LOCAL_RANK"])
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if preset.is_gpu and gpus <= local_rank:
        raise Transient(
            f"rank {environment['RANK']} finds no GPU: CUDA sees {gpus}, and spec.cluster.gpuType "
            f"{preset.name} promises one to each rank. Look at the driver and the device plugin of the node, "
            "and at the runtimeClassName of the pod"
        )
    device = torch.device("cuda", local_rank) if gpus else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    elif "OMP_NUM_THREADS" in environment:
        torch.set_num_threads(int(environment["OMP_NUM_THREADS"]))
    if is_loopback(environment["MASTER_ADDR"]):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # this machine's host name may not resolve
    backend = "nccl" if device.type == "cuda" else "gloo"
    deepspeed.init_distributed(backend, auto_mpi_discovery=False, timeout=timeout, verbose=False)
    return Ranks(rank=distributed.get_rank(), world_size=distributed.get_world_size(), device=device)


def initialize(model: torch.nn.Module, optimizer: torch.optim.Optimizer, config: Mapping[str, Any]) -> Any:
    """The DeepSpeed engine that trains `model`."""
    engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=dict(config))
    return engine
