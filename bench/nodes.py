"""Two nodes of two ranks each, played on this machine: what each ZeRO stage sends, beside sizing's model.

A rank is our training loop over gloo, on a tiny model with random weights, in a network namespace of its own.
The ports of the ranks and the trunk between the nodes have limited rates. Prints a table and writes
bench/results/nodes.json. Needs root; what it makes is gone when it ends.

The shape of the choice is tried, not its size: there is no GPU and no NCCL, and the links are a thousandth of
those that sizing assumes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from arms import played_nodes
from arms.gpu_workload import write_model
from arms.node_rank import SHAPE, PlayedLayout, config_of
from arms.played_nodes import NODES, RANKS, RANKS_PER_NODE, Rates
from arms.turns import Arm
from blendtune_api.contract import Env
from blendtune_core.sizing.cost import Sent, sent_bytes
from blendtune_trainer.model.memory import sizing_setup

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
LAYOUTS: Sequence[PlayedLayout] = (
    PlayedLayout(stage=1),
    PlayedLayout(stage=2),
    PlayedLayout(stage=3),
    PlayedLayout(stage=3, hpz=RANKS_PER_NODE),
)
WARM_UP_STEPS = 2
RATES = Rates(port=300e6, trunk=25e6)  # a thousandth of sizing's: NVLink within, and a port between nodes


@contextmanager
def ranks_of(layout: PlayedLayout, workdir: Path) -> Iterator[list[Arm]]:
    """The processes of all ranks, about to take their first step."""
    arms = [_rank(layout, workdir, rank) for rank in range(RANKS)]
    for arm in arms:
        arm.launch()
    try:
        for arm in arms:
            arm.result()
        yield arms
    finally:
        for arm in arms:
            arm.end()


def _rank(layout: PlayedLayout, workdir: Path, rank: int) -> Arm:
    environment = {
        **os.environ,
        "RANK": str(rank),
        "LOCAL_RANK": str(rank % RANKS_PER_NODE),
        "WORLD_SIZE": str(RANKS),
        Env.MASTER_ADDR: played_nodes.FIRST_ADDRESS,
        Env.MASTER_PORT: "29500",
        "GLOO_SOCKET_IFNAME": played_nodes.INTERFACE,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT / "bench"),
    }
    program = [sys.executable, str(ROOT / "bench" / "arms" / "node_rank.py")]
    command = [*program, json.dumps(asdict(layout)), str(workdir)]
    return Arm(
        f"rank {rank} of {layout.name}",
        [*played_nodes.within(rank, *command)],
        environment,
        workdir / f"rank{rank}.log",
    )


def take(arms: Sequence[Arm], steps: int) -> list[float]:
    """Has all ranks take so many steps together. The seconds of each."""
    seconds = []
    for _ in range(steps):
        for arm in arms:
            arm.begin(1)
        seconds.append(max(arm.result()["seconds"] for arm in arms))
    return seconds


def measure(layout: PlayedLayout, workdir: Path, steps: int) -> dict[str, Any]:
    """What the ranks sent in a step of this layout and how long it took, beside what sizing predicts."""
    with ranks_of(layout, workdir) as arms:
        take(arms, WARM_UP_STEPS)
        before = played_nodes.sent()
        free = take(arms, steps)
        seen = played_nodes.sent().since(before)
        with played_nodes.limited(RATES):
            limited = take(arms, steps)
    predicted = model_of(layout, workdir)
    return {
        "name": layout.name,
        "predictedBytes": round(predicted.total),
        "predictedBetweenNodes": round(predicted.among_all),
        "sentBytes": round(statistics.mean(seen.by_rank) / steps),
        "betweenNodes": round(statistics.mean(seen.between_nodes) / steps),
        "predictedSeconds": predicted.among_all / RATES.trunk + predicted.within_node / RATES.port,
        "unlimitedSeconds": statistics.median(free),
        "limitedSeconds": statistics.median(limited),
    }


def model_of(layout: PlayedLayout, workdir: Path) -> Sent:
    """What sizing says that one rank sends in a step."""
    config = config_of(layout, workdir)
    setup = sizing_setup(config.spec, workdir / SHAPE, config.gpu, RANKS)
    return sent_bytes(
        setup.weights,
        4,  # bytes of a parameter in fp32
        stage=layout.stage,
        micro_batches=layout.micro_batches,
        ranks=RANKS,
        hpz=layout.hpz,
    )


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """As Markdown."""
    lines = [
        "| Layout | Sent by a rank in a step, by sizing | by the interfaces "
        "| Between nodes, by sizing | by the interfaces | Step, unlimited | limited | Sending, by sizing |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        sizes = (
            result["predictedBytes"],
            result["sentBytes"],
            result["predictedBetweenNodes"],
            result["betweenNodes"],
        )
        seconds = (result[f"{name}Seconds"] for name in ("unlimited", "limited", "predicted"))
        cells = [
            result["name"],
            *(f"{size / 1e6:.1f} MB" for size in sizes),
            *(f"{second:.2f} s" for second in seconds),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--steps", type=int, default=3, help="measured steps of a layout, without limits and with"
    )
    parser.add_argument("--stages", type=int, nargs="+", choices=(1, 2, 3), default=(1, 2, 3))
    parser.add_argument("--output", type=Path, default=RESULTS / "nodes.json")
    arguments = parser.parse_args()
    played_nodes.step_apart()
    played_nodes.make_nodes()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder)
        write_model(workdir / SHAPE, SHAPE)
        for layout in (layout for layout in LAYOUTS if layout.stage in arguments.stages):
            results.append(measure(layout, workdir, arguments.steps))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    print(table(results))
    document = {
        "nodes": NODES,
        "ranksPerNode": RANKS_PER_NODE,
        "rates": asdict(RATES),
        "steps": arguments.steps,
        "torch": torch.__version__,
        "results": results,
    }
    arguments.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
