"""One rank of the bench of nodes: our engine and our loop over random bins, at a given layout.

Takes steps when it is told to. Arguments: the layout as JSON, and the folder of models.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from arms.gpu_training import take_steps
from arms.gpu_workload import SHAPES, Cell, random_blend, run_config
from arms.played_nodes import NODES, RANKS, RANKS_PER_NODE
from arms.turns import Turns
from blendtune_api.contract import RunConfig
from blendtune_api.v1alpha1 import Cluster, DeepSpeed
from blendtune_operator.settings import GPU_PRESETS
from blendtune_trainer.model.memory import sizing_setup
from blendtune_trainer.ranks.group import init_process_group
from blendtune_trainer.training.engine import load_engine
from blendtune_trainer.training.plan import Plan

SHAPE = "played"
SEQUENCE_LENGTH = 64
_WHOLE = {  # by its thresholds ZeRO-3 would keep what is this small, which is little of a large model
    "reduce_scatter": True,  # as on GPUs
    "stage3_param_persistence_threshold": 0,
    "stage3_max_reuse_distance": 0,
    "stage3_prefetch_bucket_size": 0,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayedLayout:
    """What the ranks train at."""

    stage: int
    hpz: int = 1  # ranks among which ZeRO-3 keeps a second copy of the weights
    micro_batches: int = 2  # of a rank in a step

    @property
    def name(self) -> str:
        return f"ZeRO-{self.stage}" + (f", hpZ of {self.hpz}" if self.hpz > 1 else "")


def config_of(layout: PlayedLayout, workdir: Path) -> RunConfig:
    """The configuration of a run with this layout, in fp32 on CPUs."""
    cell = Cell(
        shape=SHAPE,
        sequence_length=SEQUENCE_LENGTH,
        tokens_per_step=layout.micro_batches * RANKS * SEQUENCE_LENGTH,
    )
    config = run_config(cell, workdir / SHAPE, GPU_PRESETS["cpu"])
    hpz = {"zero_hpz_partition_size": layout.hpz} if layout.hpz > 1 else {}
    deepspeed = DeepSpeed(stage=layout.stage, overrides={"zero_optimization": _WHOLE | hpz})
    training = replace(config.spec.training, deepspeed=deepspeed)
    cluster = Cluster(nodes=NODES, gpus_per_node=RANKS_PER_NODE, gpu_type="cpu")
    return replace(config, spec=replace(config.spec, training=training, cluster=cluster))


def reduce_to_parts(output: Tensor, whole: Tensor, **_: Any) -> None:
    """Sums each rank's part of `whole` into its `output` by a ring, as NCCL does: gloo reduces to all."""
    ranks, rank = distributed.get_world_size(), distributed.get_rank()
    parts = list(whole.clone().chunk(ranks))
    received = torch.empty_like(parts[0])
    for step in range(1, ranks):
        sending = distributed.isend(parts[(rank - step) % ranks], (rank + 1) % ranks)
        assert sending is not None  # this rank is one of the group
        distributed.recv(received, (rank - 1) % ranks)
        sending.wait()
        parts[(rank - step - 1) % ranks] += received
    output.copy_(parts[rank])


def main() -> None:
    distributed.reduce_scatter_tensor = reduce_to_parts  # type: ignore[assignment]  # gloo has none
    layout, workdir = PlayedLayout(**json.loads(sys.argv[1])), Path(sys.argv[2])
    turns = Turns()
    config = config_of(layout, workdir)
    ranks = init_process_group(os.environ, config.gpu, timedelta(minutes=10))
    setup = sizing_setup(config.spec, workdir / SHAPE, config.gpu, ranks.world_size)
    chosen = setup.layout(layout.stage, 1, checkpointing=False)
    bins = layout.micro_batches * ranks.world_size
    blend = random_blend(SHAPES[SHAPE]["vocab_size"], SEQUENCE_LENGTH, bins)
    engine = load_engine(workdir / SHAPE, config, ranks, chosen, None)
    plan = Plan(
        steps=1_000_000,
        bins_per_step=bins,
        bins_per_micro_batch=1,
        validate_at=frozenset(),
        epoch_models={},
    )
    while True:
        ranks.barrier()
        turns.between_steps()
        take_steps(engine, blend, config, plan, ranks, range(1))


if __name__ == "__main__":
    main()
