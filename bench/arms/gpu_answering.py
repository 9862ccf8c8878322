"""Answering of the GPU bench: greedy tokens per second of a batch, by transformers or vLLM, as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from arms.gpu_workload import SEED, SHAPES, write_model

PROMPTS, PROMPT_TOKENS, NEW_TOKENS = 32, 256, 128


def measure(
    engine: str, shape: str, workdir: Path, prompts: int = PROMPTS, new_tokens: int = NEW_TOKENS
) -> dict[str, Any]:
    base = workdir / shape
    write_model(base, shape)
    generator = torch.Generator().manual_seed(SEED)
    token_ids = torch.randint(3, SHAPES[shape]["vocab_size"], (prompts, PROMPT_TOKENS), generator=generator)
    seconds = {"transformers": _transformers, "vllm": _vllm}[engine](base, token_ids, new_tokens)
    rate = prompts * new_tokens / seconds
    return {"name": f"answering by {engine}: {shape}, {prompts} prompts", "tokensPerSecond": rate}


def _transformers(base: Path, token_ids: torch.Tensor, new_tokens: int) -> float:
    from transformers import AutoModelForCausalLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).to(device).eval()
    token_ids = token_ids.to(device)

    def generate() -> float:
        started = time.monotonic()
        answers = model.generate(
            token_ids,
            attention_mask=torch.ones_like(token_ids),
            do_sample=False,
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            pad_token_id=0,
        )
        assert answers.shape[1] == PROMPT_TOKENS + new_tokens
        answers.cpu()
        return time.monotonic() - started

    generate()
    return generate()


def _vllm(base: Path, token_ids: torch.Tensor, new_tokens: int) -> float:
    from vllm import LLM, SamplingParams

    engine = LLM(model=str(base), skip_tokenizer_init=True, dtype="bfloat16", max_model_len=1024)
    sampling = SamplingParams(temperature=0, max_tokens=new_tokens, ignore_eos=True, detokenize=False)
    asked = [{"prompt_token_ids": ids} for ids in token_ids.tolist()]
    engine.generate(asked, sampling)
    started = time.monotonic()
    engine.generate(asked, sampling)
    return time.monotonic() - started


def main() -> None:
    engine, shape, workdir = sys.argv[1:4]
    print("\n" + json.dumps(measure(engine, shape, Path(workdir))), flush=True)


if __name__ == "__main__":
    main()
