"""Asks a model with Hugging Face transformers, batch by batch; every answer is kept."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from blendtune_eval.answering.decoding import Decoding
from blendtune_eval.answering.generate import generate
from blendtune_eval.answering.prompts import ChatPrompts, Prompt
from blendtune_eval.cache import AnswerCache, GivenAnswer
from blendtune_runtime.errors import BadConfiguration, BadModel, DoesNotFit

BATCH_SIZE = 96  # most prompts of a batch, and
BATCH_TOKENS = 32_768  # most tokens of one, answers included: keys and values of 7B take half a MiB each


def device_precision(gpus: int) -> tuple[torch.device, torch.dtype]:
    """bf16 on CUDA, where the spec asks for GPUs and there are some; fp32 on CPU."""
    if gpus > 0 and torch.cuda.is_available():
        return torch.device("cuda"), torch.bfloat16
    return torch.device("cpu"), torch.float32


def answer_rounds(
    folder: Path,
    rounds: Iterable[Sequence[Prompt]],
    longest_prompt: int,
    chat: ChatPrompts,
    decoding: Decoding,
    cache: AnswerCache,
    gpus: int,
    on_progress: Callable[[int], None],
) -> None:
    """Leaves the answers to the prompts in the cache, round by round, and asks for the next round then.

    `longest_prompt` is that of all rounds, in tokens. `on_progress` gets the number of prompts answered so
    far. Batches depend on the prompts of a round, never on what is cached: a run that was cut off goes on
    with the same ones. The model is loaded once, when an answer is missing. Raises StageError where it cannot
    be, or where a GPU's memory does not do for a single prompt.
    """
    model: Any = None
    done = 0
    context = longest_prompt + decoding.max_new_tokens
    most = max(1, min(BATCH_SIZE, BATCH_TOKENS // context))
    for prompts in rounds:
        for batch in batches(list({prompt.digest: prompt for prompt in prompts}.values()), most):
            if any(cache.get(prompt.digest) is None for prompt in batch):
                model = model or load_model(folder, gpus, context)
                generated = generate_within_memory(model, batch, decoding)
                cache.add(
                    {
                        prompt.digest: _given(token_ids, chat, decoding)
                        for prompt, token_ids in zip(batch, generated, strict=True)
                    }
                )
            answered = {prompt.digest for prompt in batch}
            done += sum(prompt.digest in answered for prompt in prompts)
            on_progress(done)


def batches(prompts: Sequence[Prompt], most: int) -> Iterator[list[Prompt]]:
    """As few batches of at most `most` prompts as there can be, of even size.

    The longest come first: the batch that needs most memory comes at once, and little of each is padding.
    """
    ordered = sorted(prompts, key=lambda prompt: (-len(prompt.token_ids), prompt.token_ids))
    size = ceil(len(ordered) / max(1, ceil(len(ordered) / most)))
    for start in range(0, len(ordered), max(1, size)):
        yield ordered[start : start + size]


def load_model(folder: Path, gpus: int, context: int) -> Any:
    """The causal language model in a folder, ready for `context` tokens. Raises StageError."""
    transformers_logging.disable_progress_bar()
    require_context(folder, context)
    free_memory()
    device, precision = device_precision(gpus)
    placement = {"device_map": "auto"} if device.type == "cuda" and gpus > 1 else {}
    try:
        with within_gpu_memory():
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=precision, local_files_only=True, trust_remote_code=False, **placement
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise BadModel(f"no causal language model could be loaded from {folder}: {error}") from error
    model.eval()
    with within_gpu_memory():
        return model if placement else model.to(device)


@contextmanager
def within_gpu_memory() -> Iterator[None]:
    """Raises StageError where a GPU runs out of memory in the block."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DoesNotFit(
            f"a GPU ran out of memory: {error}. Ask for more or larger GPUs (spec.cluster of a RubricEval, "
            "spec.evaluation.cluster of a BlendedFineTune), set engine: vllm, or lower sampling.maxNewTokens"
        ) from error


def free_memory() -> None:
    """Gives back the memory of models that nothing refers to any more, which may lie in reference cycles."""
    gc.collect()
    torch.cuda.empty_cache()


def require_context(folder: Path, context: int) -> None:
    """Raises StageError where the model in a folder does not take as many tokens."""
    try:
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise BadModel(f"no causal language model could be loaded from {folder}: {error}") from error
    most = getattr(config.get_text_config(), "max_position_embeddings", None)
    if most is not None and context > most:
        raise BadConfiguration(
            f"the longest question and spec.sampling.maxNewTokens make {context} tokens, the model takes "
            f"{most}: lower maxNewTokens or shorten the question"
        )


def generate_within_memory(model: Any, batch: Sequence[Prompt], decoding: Decoding) -> list[list[int]]:
    """What `generate` returns; a batch for which a GPU has no memory is halved, and its halves in turn.

    Raises StageError where there is none for a single prompt.
    """
    if len(batch) == 1:
        with within_gpu_memory():
            return generate(model, batch, decoding)
    try:
        return generate(model, batch, decoding)
    except torch.OutOfMemoryError:
        print(f"no GPU memory for {len(batch)} questions at once: they are asked in two halves", flush=True)
    free_memory()  # only now: the error held on to the tensors of the attempt
    middle = len(batch) // 2
    return [
        token_ids
        for half in (batch[:middle], batch[middle:])
        for token_ids in generate_within_memory(model, half, decoding)
    ]


def _given(token_ids: list[int], chat: ChatPrompts, decoding: Decoding) -> GivenAnswer:
    finished = bool(token_ids) and token_ids[-1] in decoding.stop_token_ids
    return GivenAnswer(text=chat.text(token_ids), tokens=len(token_ids), finished=finished)
