"""What one GPU does: our training over shapes, lengths, stages and methods, beside its estimate and peers.

Everything has random weights and random examples. The most important cells come first; what does not fit into
`--minutes` is listed instead of measured. Prints a table and writes bench/results/gpu.json. With `--dry-run`
all paths are taken with tiny shapes on a CPU, and nothing is written: its numbers mean nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from arms.gpu_workload import Cell
from blendtune_api.codec import encode
from blendtune_api.contract import GpuPreset
from blendtune_operator.settings import GPU_PRESETS

ROOT = Path(__file__).resolve().parent.parent
ARMS = ROOT / "bench" / "arms"
RESULTS = ROOT / "bench" / "results"
LONGEST_CELL_SECONDS = 300

MAIN = Cell(shape="7B", sequence_length=2048)
CELLS: Sequence[Cell] = (
    MAIN,
    Cell(shape="1.5B", sequence_length=2048),
    Cell(shape="0.5B", sequence_length=2048, parity=True, resume=True),
    replace(MAIN, kernels="liger"),
    Cell(shape="0.5B", sequence_length=2048, kernels="liger", parity=True),
    Cell(shape="1.5B", sequence_length=2048, attention="sdpa"),
    Cell(shape="7B", sequence_length=2048, method="lora"),
    Cell(shape="7B", sequence_length=8192, method="lora"),
    Cell(shape="1.5B", sequence_length=8192),
    Cell(shape="1.5B", sequence_length=2048, stage=2),
    Cell(shape="1.5B", sequence_length=2048, stage=3),
    Cell(shape="1.5B", sequence_length=2048, attention="flash_attention_2"),
    Cell(shape="1.5B", sequence_length=2048, recompute="enabled"),
    Cell(shape="7B", sequence_length=8192),
    Cell(shape="0.5B", sequence_length=8192),
    Cell(shape="0.5B", sequence_length=2048, method="lora"),
)
DRY_CELLS: Sequence[Cell] = tuple(
    replace(cell, shape="tiny", sequence_length=64, tokens_per_step=128, warm_up_steps=1, steps=1)
    for cell in (
        Cell(shape="tiny", sequence_length=64, parity=True, resume=True),
        Cell(shape="tiny", sequence_length=64, stage=3, recompute="enabled"),
        Cell(shape="tiny", sequence_length=64, method="lora", stage=2, attention="eager", kernels="auto"),
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """One measurement: a program of bench/arms, and the package that it needs besides ours."""

    name: str
    program: str
    arguments: tuple[str, ...]
    needs: str = "torch"


def errands(preset: GpuPreset, workdir: Path) -> Iterator[Errand]:
    """All of them, the most important first."""

    def training(cell: Cell, peer: str = "", program: str = "gpu_training.py") -> Errand:
        arguments = (json.dumps(asdict(cell)), json.dumps(encode(preset)), str(workdir))
        return Errand(name=f"{peer}{cell.name}", program=program, arguments=arguments, needs=needs_of(cell))

    first, *others = CELLS
    yield training(first)
    yield training(others[0])
    for cell in (others[0], first):
        yield replace(training(cell, "TRL packed: ", "gpu_trl.py"), needs="trl")
    for cell in (others[0], first):
        yield training(cell, "LLaMA-Factory packed: ", "gpu_llamafactory.py")
    for cell in others[1:]:
        yield training(cell)
    for engine in ("transformers", "vllm"):
        arguments = (engine, "1.5B", str(workdir))
        yield Errand(
            name=f"answering by {engine}: 1.5B", program="gpu_answering.py", arguments=arguments, needs=engine
        )


def needs_of(cell: Cell) -> str:
    """The package that a cell needs besides ours."""
    if cell.kernels == "liger":
        return "liger_kernel"
    return "flash_attn" if cell.attention == "flash_attention_2" else "torch"


def run(errand: Errand, seconds: float) -> dict[str, Any]:
    """The last line that the program printed; why there is none, if it failed or took too long."""
    if importlib.util.find_spec(errand.needs) is None:
        return {"name": errand.name, "left": f"{errand.needs} is not installed"}
    command = [sys.executable, str(ARMS / errand.program), *errand.arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "bench"), "HF_HUB_OFFLINE": "1"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, env=environment)
    except subprocess.TimeoutExpired:
        return {"name": errand.name, "left": f"not done after {seconds:.0f} s"}
    if done.returncode:
        return {"name": errand.name, "left": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def measured(preset: GpuPreset, workdir: Path, minutes: float) -> list[dict[str, Any]]:
    end = time.monotonic() + 60 * minutes
    results = []
    for errand in errands(preset, workdir):
        left = end - time.monotonic()
        if left > 0:
            results.append(run(errand, min(left, LONGEST_CELL_SECONDS)))
        else:
            results.append({"name": errand.name, "left": f"no time left of {minutes:g} minutes"})
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    return results


def dry(workdir: Path) -> list[dict[str, Any]]:
    """Every path that needs no GPU and no other package, in this process."""
    from arms import gpu_answering, gpu_llamafactory, gpu_training

    preset = GPU_PRESETS["cpu"]
    ranks = gpu_training.join(preset)
    try:
        results = [gpu_training.measure(cell, preset, workdir, ranks) for cell in DRY_CELLS]
    finally:
        ranks.destroy_process_group()
    results.append(gpu_answering.measure("transformers", "tiny", workdir, prompts=2, new_tokens=4))
    gpu_llamafactory.prepare(DRY_CELLS[0], workdir)  # what it reads; its packages are not needed for this
    absent = [name for name in ("trl", "vllm", "flash_attn") if importlib.util.find_spec(name) is None]
    return results + [{"name": name, "left": f"{name} is not installed"} for name in absent]


def table(results: Sequence[dict[str, Any]]) -> str:
    """As Markdown; what was not measured stands below, with the reason."""
    lines = [
        "| Cell | Layout | Attention | Kernels | Tokens/s | MFU | Peak memory | by the estimate "
        "| Load, save | Loss by fp32 on CPU | Resumed losses apart |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        if "left" in result:
            continue
        peak, estimate = result.get("peakBytes"), result.get("estimateBytes")
        cells = [
            result["name"],
            result.get("layout", ""),
            result.get("attention", ""),
            result.get("kernels", ""),
            f"{result['tokensPerSecond']:,.0f}",
            f"{result['mfu']:.1%}" if result.get("mfu") else "",
            f"{peak / 1e9:.1f} GB" if peak else "",
            f"{peak / estimate:.2f}" if peak and estimate else "",
            ", ".join(f"{result[key]:.1f} s" for key in ("loadSeconds", "saveSeconds") if key in result),
            f"{result['lossError']:.1e}" if "lossError" in result else "",
            f"{result['resumedApart']:.1e}" if "resumedApart" in result else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    left = [f"- {result['name']}: {result['left']}" for result in results if "left" in result]
    return "\n".join([*lines, "", "Not measured:", *left] if left else lines)


def preset_of(name: str) -> GpuPreset:
    """The preset of a GPU by CUDA's name of it. Raises SystemExit for one that there is no preset for."""
    product = name.replace(" ", "-")  # as NVIDIA's GPU feature discovery labels nodes
    for preset in GPU_PRESETS.values():
        if preset.node_selector.get("nvidia.com/gpu.product") == product:
            return preset
    known = ", ".join(preset.name for preset in GPU_PRESETS.values() if preset.is_gpu)
    raise SystemExit(f"there is no preset for {name}: name one of {known} with --gpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--gpu", choices=sorted(GPU_PRESETS), help="its preset; by default by CUDA's name")
    parser.add_argument("--dry-run", action="store_true", help="tiny shapes on CPU; writes nothing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as workdir:
        if arguments.dry_run:
            print(table(dry(Path(workdir))))
            return
        if not torch.cuda.is_available():
            raise SystemExit("there is no GPU: --dry-run tries the bench without one")
        name = torch.cuda.get_device_name()
        preset = GPU_PRESETS[arguments.gpu] if arguments.gpu else preset_of(name)
        results = measured(preset, Path(workdir), arguments.minutes)
    print(table(results))
    RESULTS.mkdir(exist_ok=True)
    document = {"gpu": name, "preset": preset.name, "torch": torch.__version__, "results": results}
    (RESULTS / "gpu.json").write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
