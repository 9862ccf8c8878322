"""Among how many GPUs a model's attention heads can be shared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blendtune_runtime.errors import BadConfiguration

MOST_GPUS = 16  # of an evaluation pod
_REFUSED = re.compile(
    r"attention heads \((\d+)\) must be divisible by (?:the )?tensor[ -]parallel size \((\d+)\)",
    re.IGNORECASE,
)
_LANGUAGE_PARTS = ("text_config", "llm_config", "language_config")  # of models that see or hear


@dataclass(frozen=True, slots=True)
class Heads:
    """What tensor parallelism divides: attention heads, and the heads of keys and values."""

    attention: int
    key_value: int

    def divide_among(self, gpus: int) -> bool:
        """Whether every GPU gets the same: whole attention heads, and whole heads of keys and values or
        equally many copies of one (vLLM's rule).
        """
        fewer, more = sorted((self.key_value, gpus))
        return self.attention % gpus == 0 and more % fewer == 0

    @property
    def counts(self) -> Sequence[int]:
        """The numbers of GPUs that would do."""
        return [gpus for gpus in range(1, MOST_GPUS + 1) if self.divide_among(gpus)]


def require_divisible(folder: Path, gpus: int) -> None:
    """Raises BadConfiguration where the heads of the model in a folder cannot be shared among the GPUs.

    A model whose config.json names no heads is let through.
    """
    heads = _heads(folder)
    if heads is not None and gpus > 1 and not heads.divide_among(gpus):
        raise _not_divisible(heads, gpus)


def refused_by_server(output: str) -> BadConfiguration | None:
    """What vLLM's last words say of heads that its GPUs cannot share; None where they say something else."""
    found = _REFUSED.search(output)
    if found is None:
        return None
    heads, gpus = int(found[1]), int(found[2])
    return _not_divisible(Heads(heads, heads), gpus)


def _not_divisible(heads: Heads, gpus: int) -> BadConfiguration:
    kept = f" and {heads.key_value} of keys and values" if heads.key_value != heads.attention else ""
    *others, last = map(str, heads.counts)
    counts = f"{', '.join(others)} or {last}" if others else last
    return BadConfiguration(
        f"spec.cluster.gpus: {gpus} GPUs cannot share the model's {heads.attention} attention heads{kept} "
        f"evenly: ask for {counts}"
    )


def _heads(folder: Path) -> Heads | None:
    try:
        config: Any = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    parts = [config, *(config.get(name) for name in _LANGUAGE_PARTS)] if isinstance(config, dict) else []
    for part in reversed(parts):
        if isinstance(part, Mapping):
            attention = part.get("num_attention_heads", part.get("n_head"))
            key_value = part.get("num_key_value_heads") or attention
            if isinstance(attention, int) and isinstance(key_value, int) and attention > 0 < key_value:
                return Heads(attention, key_value)
    return None
