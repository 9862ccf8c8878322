"""The same prompts through both engines of an evaluation: how many answers have the same text and length.

Needs a program `vllm` on the PATH. Greedy, fp32, on the demo's model; writes bench/results/engines.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import transformers

from answering import MODEL, RESULTS, wordings
from blendtune_api.v1alpha1 import Engine
from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.engines import answer_all
from blendtune_eval.answering.prompts import ChatPrompts
from blendtune_eval.answering.vllm_server import PROGRAM
from blendtune_eval.cache import AnswerCache, GivenAnswer


def answers(engine: Engine, model: Path, texts: list[str], max_new_tokens: int) -> list[GivenAnswer]:
    chat = ChatPrompts(model, "--model")
    decoding = Decoding(
        rendering=chat.digest,
        stop_token_ids=chat.stop_token_ids(),
        max_new_tokens=max_new_tokens,
        temperature=0,
        precision="float32",
        engine=engine,
    )
    prompts = [chat.render(text) for text in texts]
    gpus = 1 if engine is Engine.VLLM else 0  # the server's processes, also on CPU
    with tempfile.TemporaryDirectory() as folder:
        cache = AnswerCache(Path(folder), "bench", decoding.digest)
        return answer_all(engine, model, prompts, chat, decoding, cache, gpus, lambda _: None)


def measure(model: Path, prompts: int, max_new_tokens: int) -> dict[str, Any]:
    texts = wordings(prompts)
    ours, theirs = (
        answers(engine, model, texts, max_new_tokens) for engine in (Engine.TRANSFORMERS, Engine.VLLM)
    )
    return {
        "prompts": len(texts),
        "tokens": sum(each.tokens for each in ours),
        "sameAnswers": sum(one == other for one, other in zip(ours, theirs, strict=True)),
        "maxNewTokens": max_new_tokens,
        "transformers": transformers.__version__,
        "vllm": subprocess.check_output([PROGRAM, "--version"], text=True).split()[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--max-new-tokens", type=int, default=64)
    options = parser.parse_args()
    result = measure(options.model.resolve(), options.prompts, options.max_new_tokens)
    print("{sameAnswers} of {prompts} answers of vLLM {vllm} are those of transformers".format_map(result))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "engines.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
