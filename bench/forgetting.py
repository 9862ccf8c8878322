"""Measures what the demo forgets, and what keeps it, over several seeds and in four arms.

Each run has one thread, so that several can run beside one another. A run that is there already is not made
again: a second call goes on where the first one ended. The results are in bench/results/forgetting.json; the
table and the plane of docs/demo.md are made of them, by this command and, with --told, by it alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Lock
from typing import Any

from blendtune_eval.judging.judge import RULES_VERSION
from forgotten import ARMS, PAGE, PLANE, RESULTS, plane, read_results, section, with_section

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "examples" / "demo"
NAME = "forgetting"
SCORE = ("score", "low", "high", "baselineScore", "delta", "deltaLow", "deltaHigh")
_SHARED = Lock()  # of the folder of all runs' answers


def manifest(arm: str, seed: int) -> str:
    """The demo's manifest of an arm with another seed and absolute URIs."""
    text = (DEMO / f"{arm}.yaml").read_text().replace("file://.", f"file://{DEMO}/.")
    text = re.sub(r"\bseed: \d+", f"seed: {seed}", text)
    return re.sub(r"(?m)^  name: \S+", f"  name: {NAME}", text)


def inputs_digest(arm: str) -> str:
    """Digest of what decides an arm's scores beside the seed and the program."""
    data = sorted((DEMO / "data").glob("*.jsonl"))
    parts = [
        RULES_VERSION.encode(),
        *(file.read_bytes() for file in (DEMO / f"{arm}.yaml", DEMO / "rubric.yaml", *data)),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def run(arm: str, seed: int, folder: Path, shared: Path) -> dict[str, Any]:
    """One arm with one seed: its scores, what it took, and what it cost.

    `shared` keeps the answers, by weights and prompt: the base model is asked once for all runs. A folder
    that another manifest, rubric or judge has filled is emptied first. Raises RuntimeError if nothing was
    scored.
    """
    kept, inputs = folder / "result.json", inputs_digest(arm)
    if (folder / "inputs").exists() and (folder / "inputs").read_text() != inputs:
        shutil.rmtree(folder)
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "inputs").write_text(inputs)
    (folder / "manifest.yaml").write_text(manifest(arm, seed))
    answers = folder / "work" / "claims" / "demo" / "default" / NAME / "answers"
    with _SHARED:
        shutil.copytree(shared, answers, dirs_exist_ok=True)
    objects, cost = _run_manifest(folder)
    if "score" not in objects["RubricEval"]["status"].get("overall", {}):
        raise RuntimeError(f"{arm}, seed {seed}: nothing was scored; see {folder / 'log'}")
    with _SHARED:
        shutil.copytree(answers, shared, dirs_exist_ok=True)
    result = {"arm": arm, "seed": seed, "rules": RULES_VERSION, **cost, **_told(objects)}
    kept.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _run_manifest(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The objects that `blendtune run` leaves, by kind, and what it cost."""
    begin = time.monotonic()
    command: list[str | Path] = [
        Path(sys.executable).parent / "blendtune", "run", "-f", folder / "manifest.yaml",
        "-f", DEMO / "rubric.yaml", "--workdir", folder / "work", "-o", "json", "--metrics-port", "0",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / "objects.json").open("wb") as out, (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=out, stderr=log, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    items = json.loads((folder / "objects.json").read_text() or "{}").get("items", [])
    objects = {"RubricEval": {"status": {}}, **{item["kind"]: item for item in items}}
    return objects, {
        "exitStatus": process.returncode,
        "seconds": round(time.monotonic() - begin, 1),
        "cpuSeconds": round(used.ru_utime + used.ru_stime, 1),
    }


def _told(objects: Mapping[str, Any]) -> dict[str, Any]:
    """Scores and sizes of a run that has ended."""
    status, scores = objects["BlendedFineTune"]["status"], objects["RubricEval"]["status"]
    told: dict[str, Any] = {key: status["training"][key] for key in ("steps", "tokens")}
    for scope in ("overall", "general", "inDomain"):
        told[scope] = {key: scores[scope][key] for key in SCORE if key in scores[scope]}
    if rehearsed := status.get("rehearsal", {}).get("sources"):
        told["rehearsed"] = {key: rehearsed[0][key] for key in ("rows", "tokens", "written")}
    if interpolation := scores.get("interpolation"):
        told["weight"] = interpolation["weight"]
        told["candidates"] = [
            {
                "weight": each["weight"],
                "gates": each["gates"],
                **{scope: each[scope]["score"] for scope in ("general", "inDomain")},
            }
            for each in interpolation["candidates"]
        ]
    return told


def keep(result: dict[str, Any]) -> None:
    """Adds a result to the file. An earlier one, and those by another version of the rules, leave it."""
    others = [each for each in read_results() if each["rules"] == RULES_VERSION]
    order = list(ARMS)
    known = {(each["seed"], order.index(each["arm"])): each for each in [*others, result]}
    RESULTS.write_text(json.dumps([known[key] for key in sorted(known)], indent=1) + "\n")
    print(f"{result['arm']}, seed {result['seed']}: {result['seconds']:.0f} s", flush=True)


def tell() -> None:
    """Writes the page's section and the plane from the results, and prints the section."""
    results = read_results()
    PAGE.write_text(with_section(PAGE.read_text(), results))
    PLANE.write_text(plane(results))
    print(section(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44, 45, 46])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--parallel", type=int, default=os.cpu_count(), help="runs beside one another")
    parser.add_argument("--workdir", type=Path, default=Path("runs/forgetting"))
    parser.add_argument("--told", action="store_true", help="measure nothing, and tell what was measured")
    arguments = parser.parse_args()
    if not arguments.told:
        workdir = arguments.workdir.resolve()
        shared = workdir / "answers"
        shared.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(arguments.parallel) as pool:
            pending = [
                pool.submit(run, arm, seed, workdir / f"{arm}-{seed}", shared)
                for seed in arguments.seeds
                for arm in arguments.arms
            ]
            for each in as_completed(pending):
                keep(each.result())
    tell()


if __name__ == "__main__":
    main()
