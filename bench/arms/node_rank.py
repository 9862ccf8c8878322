"""One rank of the bench of nodes: our engine and our loop over random bins, at a given layout.

Takes steps when it is told to. Arguments: the arm as JSON, the folder of models, and where to write what
its collectives would send.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from arms.gpu_training import take_steps
from arms.gpu_workload import SHAPES, Cell, random_blend, run_config
from arms.turns import Turns
from torch import Tensor, distributed

from blendtune_api.contract import RunConfig
from blendtune_api.v1alpha1 import Cluster, DeepSpeed
from blendtune_operator.settings import GPU_PRESETS
from blendtune_trainer.model.memory import sizing_setup
from blendtune_trainer.ranks.group import init_process_group
from blendtune_trainer.training.engine import load_engine
from blendtune_trainer.training.plan import Plan

SHAPE = "played"
SEQUENCE_LENGTH = 64
_WHOLE = {  # nothing is kept because it is small: in a large model these thresholds hide hardly anything
    "reduce_scatter": True,  # as on GPUs
    "stage3_param_persistence_threshold": 0,
    "stage3_max_reuse_distance": 0,
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


def config_of(layout: PlayedLayout, workdir: Path, nodes: int, per_node: int) -> RunConfig:
    """The configuration of a run with this layout, in fp32 on CPUs."""
    cell = Cell(
        shape=SHAPE,
        sequence_length=SEQUENCE_LENGTH,
        tokens_per_step=layout.micro_batches * nodes * per_node * SEQUENCE_LENGTH,
    )
    config = run_config(cell, workdir / SHAPE, GPU_PRESETS["cpu"])
    hpz = {"zero_hpz_partition_size": layout.hpz} if layout.hpz > 1 else {}
    deepspeed = DeepSpeed(stage=layout.stage, overrides={"zero_optimization": _WHOLE | hpz})
    training = replace(config.spec.training, deepspeed=deepspeed)
    cluster = Cluster(nodes=nodes, gpus_per_node=per_node, gpu_type="cpu")
    return replace(config, spec=replace(config.spec, training=training, cluster=cluster))


class Collectives:
    """Counts what this rank would send for its collectives if each were a ring, as NCCL's of large tensors.

    (n-1)/n of the whole for a gather and for a reduction to parts, twice as much for one to all, by n ranks.
    """

    def __init__(self) -> None:
        self.bytes: Counter[str] = Counter()
        for name, times, whole in (
            ("all_reduce", 2, "tensor"),
            ("reduce_scatter_tensor", 1, "input"),
            ("all_gather_into_tensor", 1, "output_tensor"),
            ("broadcast", 1, "tensor"),
            ("reduce", 1, "tensor"),
        ):
            setattr(distributed, name, self._counted(name, getattr(distributed, name), times, whole))

    def _counted(
        self, name: str, collective: Callable[..., Any], times: int, whole: str
    ) -> Callable[..., Any]:
        position = 1 if whole == "input" else 0

        def call(*arguments: Any, **options: Any) -> Any:
            tensor: Tensor = options[whole] if whole in options else arguments[position]
            ranks = distributed.get_world_size(options.get("group"))
            self.bytes[f"{name} of {ranks}"] += round(times * tensor.nbytes * (ranks - 1) / ranks)
            return collective(*arguments, **options)

        return call


def main() -> None:
    layout, workdir, counted = PlayedLayout(**json.loads(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
    turns, collectives = Turns(), Collectives()
    nodes, per_node = json.loads(os.environ["PLAYED_NODES"])
    config = config_of(layout, workdir, nodes, per_node)
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
        counted.write_text(json.dumps(collectives.bytes))
        turns.between_steps()
        take_steps(engine, blend, config, plan, ranks, range(1))


if __name__ == "__main__":
    main()
