"""Generated tokens per second of our answering beside lm-evaluation-harness's HF backend.

Same model, prompts, batch size, limit and stop tokens; greedy, fp32 on CPU. The arms take turns on the
machine. Prints a table, with how many answers are the same, and writes bench/results/answering.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from arms.rounds import interleave, interval, rates, ratio
from arms.turns import Arm
from blendtune_eval.answering.answer import BATCH_SIZE
from blendtune_eval.answering.prompts import ChatPrompts
from blendtune_eval.rubrics.loader import load_builtin

ROOT = Path(__file__).resolve().parent.parent
ARMS = ROOT / "bench" / "arms"
RESULTS = ROOT / "bench" / "results"
MODEL = ROOT / ".cache" / "demo" / "smollm2-135m-instruct"
OURS, THEIRS = "Blendtune", "lm-evaluation-harness (hf)"
RUBRIC = "business45"
THREADS = os.cpu_count() or 1


def wordings(count: int) -> list[str]:
    """The rubric's first, of different lengths."""
    return [text for question in load_builtin(RUBRIC).questions for text in question.wordings][:count]


def prepare(workdir: Path, model: Path, prompts: int, max_new_tokens: int) -> None:
    """Settings for both arms: the rubric's first wordings, as the model reads them."""
    chat = ChatPrompts(model, "--model")
    texts = wordings(prompts)
    settings = {
        "model": str(model),
        "texts": [chat.rendered(text) for text in texts],
        "tokenIds": [chat.render(text).token_ids for text in texts],
        "stopTokenIds": chat.stop_token_ids(),
        "maxNewTokens": max_new_tokens,
        "batchSize": BATCH_SIZE,
    }
    (workdir / "settings.json").write_text(json.dumps(settings))


def make_arms(workdir: Path) -> list[Arm]:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(THREADS),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    return [
        Arm(OURS, [sys.executable, ARMS / "answer_ours.py", workdir], environment, workdir / "ours.log"),
        Arm(
            THEIRS, [sys.executable, ARMS / "answer_lm_eval.py", workdir], environment, workdir / "theirs.log"
        ),
    ]


def measure(workdir: Path, model: Path, prompts: int, max_new_tokens: int, rounds: int) -> dict[str, Any]:
    prepare(workdir, model, prompts, max_new_tokens)
    arms = make_arms(workdir)
    interleave(arms, rounds, steps=1, warm_up_steps=1)
    ours, theirs = arms
    answers = [json.loads((workdir / f"{name}.answers").read_text()) for name in ("ours", "theirs")]
    return {
        "arms": {
            arm.name: {
                "tokensPerSecond": statistics.median(rates(arm)),
                "slowest": min(rates(arm)),
                "fastest": max(rates(arm)),
                "tokens": arm.turns[-1]["tokens"],
                "peakBytes": max(turn["peakBytes"] for turn in arm.turns),
            }
            for arm in arms
        },
        "ratio": ratio(ours, theirs),
        "ratioOfCpuTime": ratio(ours, theirs, "cpuSeconds"),
        "sameAnswers": sum(mine == other for mine, other in zip(*answers, strict=True)),
        "prompts": len(answers[0]),
        "maxNewTokens": max_new_tokens,
        "batchSize": BATCH_SIZE,
        "rounds": rounds,
        "threads": THREADS,
        "lmEval": version("lm-eval"),
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = ["| Arm | Generated tokens/s, median (range) | Peak memory |", "|---|---|---|"]
    for name, arm in result["arms"].items():
        speed = f"{arm['tokensPerSecond']:.0f} ({arm['slowest']:.0f} to {arm['fastest']:.0f})"
        lines.append(f"| {name} | {speed} | {arm['peakBytes'] / 2**30:.2f} GiB |")
    lines += [
        "",
        f"Ours by theirs (95%): {interval(result['ratio'])}, "
        f"by CPU time {interval(result['ratioOfCpuTime'])}. "
        f"{result['sameAnswers']} of {result['prompts']} answers are the same, of up to "
        f"{result['maxNewTokens']} tokens; {result['rounds']} rounds.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as workdir:
        result = measure(
            Path(workdir), options.model, options.prompts, options.max_new_tokens, options.rounds
        )
    print(table(result))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "answering.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
