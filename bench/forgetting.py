"""Measures the demo's claim over several seeds: what the domain alone forgets, and the blend keeps.

Each seed runs both manifests of the demo with one thread, so that several can run beside one another. The
table shows the scores of base and tuned model, and a JSON file keeps them. Runs that are already there are
not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

DEMO = Path(__file__).resolve().parent.parent / "examples" / "demo"
NAME = "forgetting"
ARMS = ("blend", "domain-only")


def manifest(arm: str, seed: int, folder: Path) -> Path:
    """The demo's manifest with another seed and absolute URIs, written into `folder`."""
    text = (DEMO / f"{arm}.yaml").read_text().replace("file://.", f"file://{DEMO}/.")
    path = folder / "manifest.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    text = re.sub(r"\bseed: \d+", f"seed: {seed}", text)
    path.write_text(re.sub(r"(?m)^  name: \S+", f"  name: {NAME}", text))
    return path


def run(arm: str, seed: int, folder: Path, shared: Path) -> dict[str, Any]:
    """Runs one arm with one seed; returns its scores, steps and seconds.

    `shared` keeps the answers, by weights and prompt: the base model is asked once for all runs.
    """
    kept = folder / "scores.json"
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    path = manifest(arm, seed, folder)
    answers = folder / "work" / "claims" / "demo" / "default" / NAME / "answers"
    shutil.copytree(shared, answers, dirs_exist_ok=True)
    begin = time.monotonic()
    done = subprocess.run(
        [Path(sys.executable).parent / "blendtune", "run", "-f", path, "-f", DEMO / "rubric.yaml",
         "--workdir", folder / "work", "-o", "json", "--metrics-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )  # fmt: skip
    shutil.copytree(answers, shared, dirs_exist_ok=True)
    items = {item["kind"]: item for item in json.loads(done.stdout)["items"]}
    status, scores = items["BlendedFineTune"]["status"], items["RubricEval"]["status"]
    result = {
        "arm": arm,
        "seed": seed,
        "exitStatus": done.returncode,
        "seconds": round(time.monotonic() - begin, 1),
        "steps": status["training"]["steps"],
        "tokens": status["training"]["tokens"],
        **{scope: scores[scope] for scope in ("overall", "general", "inDomain")},
    }
    kept.write_text(json.dumps(result, indent=2) + "\n")
    return result


def table(results: list[dict[str, Any]]) -> str:
    """The results as Markdown."""
    rows = [
        "| seed | arm | in-domain base | in-domain tuned | general base | general tuned | steps | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        scores = [
            result[scope][key] for scope in ("inDomain", "general") for key in ("baselineScore", "score")
        ]
        cells = [result["seed"], result["arm"], *(f"{score:.3f}" for score in scores), result["steps"]]
        rows.append("| " + " | ".join(map(str, [*cells, round(result["seconds"])])) + " |")
    kept, lost = (
        {item["seed"]: item["general"]["score"] for item in results if item["arm"] == arm} for arm in ARMS
    )
    gaps = [kept[seed] - lost[seed] for seed in kept]
    listed = ", ".join(f"{gap:+.3f}" for gap in gaps)
    rows += [
        "",
        f"General score of the blend less that of domain-only, by seed: {listed}; "
        f"mean {statistics.mean(gaps):+.3f}; "
        f"at least 0.10 in {sum(gap >= 0.10 for gap in gaps)} of {len(gaps)}.",
    ]
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44, 45, 46])
    parser.add_argument("--parallel", type=int, default=os.cpu_count(), help="runs beside one another")
    parser.add_argument("--workdir", type=Path, default=Path("runs/forgetting"))
    arguments = parser.parse_args()
    workdir = arguments.workdir.resolve()
    shared = workdir / "answers"
    shared.mkdir(parents=True, exist_ok=True)
    runs = [(arm, seed) for seed in arguments.seeds for arm in ARMS]
    with ThreadPoolExecutor(arguments.parallel) as pool:
        done = [pool.submit(run, arm, seed, workdir / f"{arm}-{seed}", shared) for arm, seed in runs]
        results = [future.result() for future in done]
    (workdir / "forgetting.json").write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))


if __name__ == "__main__":
    main()
