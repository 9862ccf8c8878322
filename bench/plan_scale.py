"""How long a blend takes to plan when the lengths are known: order and bins, their time and memory.

Prints a table and writes bench/results/plan_scale.json. `python bench/plan_scale.py 100000 1000000`
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from blendtune_api.v1alpha1 import Role
from blendtune_trainer.blending.blend import BlendBudget, BlendSource, blend, shares
from blendtune_trainer.blending.pack import Placements, pack

RESULTS = Path(__file__).parent / "results"
SEQUENCE_LENGTH = 2048
SEED = 42


@dataclass(frozen=True)
class Outcome:
    examples: int
    tokens: int
    bins: int
    blend_seconds: float
    pack_seconds: float
    peak_gib: float
    waste: float  # of the bins' room
    share_error: float  # of the in-domain source, over all


def measure(examples: int) -> Outcome:
    """An in-domain and a general source of half the examples each, log-normal lengths, one pass, 50 : 50."""
    draw = np.random.default_rng(SEED)
    sources = [
        _source(name, role, np.clip(draw.lognormal(mean, 0.8, examples // 2), 16, SEQUENCE_LENGTH))
        for name, role, mean in (("ads", Role.IN_DOMAIN, 5.4), ("general", Role.GENERAL, 5.3))
    ]
    begin = time.perf_counter()
    order = blend(sources, BlendBudget(epochs=1.0), SEED)
    blended = time.perf_counter()
    lengths = np.empty(len(order.sources), np.int64)
    for index, source in enumerate(sources):
        here = order.sources == index
        lengths[here] = source.sizes[order.examples[here]]
    target = shares(sources)
    placements = Placements(lengths=lengths, sources=order.sources, units=lengths)
    bins = pack(placements, target, capacity=SEQUENCE_LENGTH, seed=SEED)
    packed = time.perf_counter()
    tokens = int(lengths.sum())
    return Outcome(
        examples=len(lengths),
        tokens=tokens,
        bins=len(bins),
        blend_seconds=blended - begin,
        pack_seconds=packed - blended,
        peak_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        waste=1 - tokens / (len(bins) * SEQUENCE_LENGTH),
        share_error=float(lengths[order.sources == 0].sum() / tokens - target[0]),
    )


def _source(name: str, role: Role, lengths: np.ndarray) -> BlendSource:
    sizes = lengths.astype(np.int64)
    return BlendSource(name=name, role=role, weight=1, max_epochs=4, sizes=sizes, tokens=int(sizes.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=int, nargs="*", default=[100_000, 1_000_000])
    outcomes = []
    for examples in parser.parse_args().examples:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:  # its peak is its own
            outcomes.append(asdict(fresh.submit(measure, examples).result()))
        print(json.dumps(outcomes[-1], indent=1), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "plan_scale.json").write_text(json.dumps(outcomes, indent=1) + "\n")


if __name__ == "__main__":
    main()
