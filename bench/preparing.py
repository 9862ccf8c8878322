"""How fast rows become packed bins: the blend program beside plain `datasets.map`, on equal cores.

Both start from one JSON-lines file and a cold cache, with the same tokenizer and chat template. What
`datasets.map` does is to tokenize; the blend program also checks every row, marks what is supervised, holds
out, blends and packs. Each arm runs in processes of its own. Memory is the peak of the sum of their
proportional set sizes, once with the pages of mapped files, which the kernel takes back when it needs them,
and once without; CPU seconds are those of all of them. Both are looked up five times a second. CPU seconds
tell more than seconds where the machine is not quiet.

`python bench/preparing.py --rows 1000000` prints a table and writes bench/results/preparing.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
TOKENIZER = Path(__file__).parent.parent / ".cache" / "demo" / "smollm2-135m-instruct"
TEXT = (
    "the a of in and when how much does it cost price kettle copper repair works open closed Sunday twelve "
    "thalers please deliver letter answer question never always river harbour engine winter garden colour"
)
WORDS = TEXT.split()
SEQUENCE_LENGTH = 2048
POLL_SECONDS = 0.2
ARMS = {
    "blendtune": "blend",
    "datasets.map, one process": "map-1",
    "datasets.map, one process per core": "map-all",
}


@dataclass(frozen=True)
class Outcome:
    rows: int
    cores: int
    seconds: float
    cpu_seconds: float
    rows_per_second: float
    peak_gib: float
    peak_anonymous_gib: float  # without the pages of files


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument(
        "--tokenizer", type=Path, default=TOKENIZER, help="folder with tokenizer and template"
    )
    options.add_argument("--arm", choices=[*ARMS.values()], help=argparse.SUPPRESS)
    options.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.arm is not None:
        run_arm(chosen.arm, chosen.folder, chosen.tokenizer)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_rows(folder / "rows.jsonl", chosen.rows)
        write_model(folder / "model", chosen.tokenizer)
        outcomes = {name: measure(arm, folder, chosen.tokenizer, chosen.rows) for name, arm in ARMS.items()}
    print_table(outcomes)
    RESULTS.mkdir(exist_ok=True)
    document = {name: asdict(outcome) for name, outcome in outcomes.items()}
    (RESULTS / "preparing.json").write_text(json.dumps(document, indent=2) + "\n")


def write_rows(path: Path, count: int) -> None:
    """Short conversations of one or two turns."""
    draw = random.Random(1)
    with path.open("w") as file:
        for number in range(count):
            messages = []
            for turn in range(draw.choice((1, 1, 2))):
                asked = " ".join(draw.choices(WORDS, k=draw.randint(5, 25)))
                answer = " ".join(draw.choices(WORDS, k=draw.randint(10, 50)))
                messages.append({"role": "user", "content": f"Question {number}.{turn}: {asked}?"})
                messages.append({"role": "assistant", "content": f"{answer}."})
            file.write(json.dumps({"messages": messages}) + "\n")


def write_model(folder: Path, tokenizer_folder: Path) -> None:
    """A tiny model of the tokenizer's vocabulary: the blend program checks that there is one."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def measure(arm: str, folder: Path, tokenizer: Path, rows: int) -> Outcome:
    """Runs an arm from a cold cache, and watches its memory."""
    command = [sys.executable, __file__, "--arm", arm, "--folder", str(folder), "--tokenizer", str(tokenizer)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak, anonymous, cpu_of = 0, 0, dict[int, float]()
    while process.poll() is None:
        tree = process_tree(process.pid)
        sizes = [proportional_bytes(number) for number in tree]
        peak = max(peak, sum(size for size, _ in sizes))
        anonymous = max(anonymous, sum(size for _, size in sizes))
        cpu_of |= {number: seconds for number in tree if (seconds := cpu_seconds(number))}
        time.sleep(POLL_SECONDS)
    seconds = time.perf_counter() - begin
    if process.returncode:
        raise SystemExit(f"{arm} ended with {process.returncode}")
    cpu = sum(cpu_of.values())
    cores = len(os.sched_getaffinity(0))
    return Outcome(rows, cores, seconds, cpu, rows / seconds, peak / 2**30, anonymous / 2**30)


def process_tree(root: int) -> list[int]:
    """A process and those below it."""
    found = [root]
    for number in found:
        try:
            tasks = Path(f"/proc/{number}/task").iterdir()
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue  # it has ended
    return found


def proportional_bytes(number: int) -> tuple[int, int]:
    """The proportional set size of a process, and that of its anonymous memory; zeros if it has ended."""
    try:
        lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = {
        name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines[1:])
    }
    return sizes.get("Pss", 0), sizes.get("Pss_Anon", 0)


def cpu_seconds(number: int) -> float:
    """User and system time of a process so far; 0 if it has ended."""
    try:
        times = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError):
        return 0


def run_arm(arm: str, folder: Path, tokenizer: Path) -> None:
    if arm == "blend":
        blend(folder)
    else:
        plain_map(folder, tokenizer, len(os.sched_getaffinity(0)) if arm == "map-all" else None)


def blend(folder: Path) -> None:
    from blendtune_api import codec
    from blendtune_api.contract import GpuPreset, RunConfig
    from blendtune_api.v1alpha1 import BlendedFineTuneSpec
    from blendtune_trainer.prepare import prepare
    from blendtune_trainer.stage import Run

    source = {"name": "rows", "role": "inDomain", "uri": f"file://{folder}/rows.jsonl", "weight": 1}
    document = {
        "model": {"uri": f"file://{folder}/model"},
        "blend": {"budget": {"epochs": 1}, "sources": [source]},
        "training": {"sequenceLength": SEQUENCE_LENGTH, "batchTokens": 4 * SEQUENCE_LENGTH},
        "storage": {"persistentVolumeClaim": "work"},
    }
    config = RunConfig(
        uid="u1",
        namespace="default",
        name="preparing",
        spec=codec.decode(BlendedFineTuneSpec, document),
        gpu=GpuPreset(name="cpu"),
    )
    prepare(Run(config=config, claims=folder / "claims"))


def plain_map(folder: Path, tokenizer_folder: Path, processes: int | None) -> None:
    import datasets
    from transformers import AutoTokenizer

    cache = folder / f"cache-{processes}"
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    rows = datasets.load_dataset(
        "json", data_files=str(folder / "rows.jsonl"), split="train", cache_dir=str(cache)
    )
    rows.map(
        lambda batch: {
            "input_ids": tokenizer.apply_chat_template(batch["messages"], return_dict=True)["input_ids"]
        },
        batched=True,
        num_proc=processes,
        remove_columns=rows.column_names,
    )


def print_table(outcomes: dict[str, Outcome]) -> None:
    fastest = min(outcome.seconds for name, outcome in outcomes.items() if ARMS[name] != "blend")
    print(
        "| | rows | cores | seconds | CPU seconds | rows/s | of datasets.map's time | peak memory, GiB "
        "| without files |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name, outcome in outcomes.items():
        print(
            f"| {name} | {outcome.rows:,} | {outcome.cores} | {outcome.seconds:.1f} "
            f"| {outcome.cpu_seconds:.1f} "
            f"| {outcome.rows_per_second:,.0f} | {outcome.seconds / fastest:.2f} | {outcome.peak_gib:.2f} "
            f"| {outcome.peak_anonymous_gib:.2f} |"
        )


if __name__ == "__main__":
    main()
