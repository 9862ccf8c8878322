"""What decides an answer besides the weights and the prompt."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from blendtune_api.v1alpha1 import Engine

SEED = 20231007


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """How answers are decoded. Nothing is taken from the generation config of a checkpoint."""

    rendering: str  # digest of the chat template and its variables
    stop_token_ids: tuple[int, ...]
    max_new_tokens: int
    temperature: float  # 0 is greedy
    precision: str
    engine: Engine = Engine.TRANSFORMERS
    seed: int = SEED

    @property
    def digest(self) -> str:
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
