"""Small runs: a packed blend, a tiny model, and trainings that are started as the container starts them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tests.trainer.training.ranks import Interruption, Rank, finish, free_port, start_rank

from blendtune_api.codec import encode
from blendtune_api.contract import (
    Env,
    GpuPreset,
    Outcome,
    RunConfig,
    TrainResult,
    Workspace,
    decode_message,
    workspace,
)
from blendtune_api.v1alpha1 import (
    Blend,
    BlendedFineTuneSpec,
    Budget,
    ChatTemplate,
    Checkpoint,
    Model,
    Role,
    Source,
    Storage,
    Training,
)
from blendtune_trainer.blending.packed import PackedBlend

SEQUENCE_LENGTH = 48
BINS_PER_STEP = 3  # not a multiple of two ranks: each step has an empty micro-batch


def build_blend(
    bins: int = 16, validation_bins: int = 4, digest: str = "blend", seed: int = 0
) -> PackedBlend:
    """Bins of three examples of different lengths from two sources; their pattern can be learnt."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(6, 17, size=3 * (bins + validation_bins))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = np.concatenate([np.arange(length) * 7 % 50 + 10 for length in lengths])
    tokens[draw.random(len(tokens)) < 0.2] = 99
    supervised = np.concatenate([np.arange(length) >= draw.integers(1, length - 1) for length in lengths])
    examples = np.arange(len(lengths), dtype=np.int32)
    held_out = 3 * bins
    return PackedBlend(
        input_ids=tokens.astype(np.int32),
        supervised=supervised,
        example_offsets=offsets.astype(np.int64),
        example_sources=(examples // 3 % 2).astype(np.int16),
        bin_examples=examples[:held_out],
        bin_offsets=np.arange(0, held_out + 1, 3, dtype=np.int64),
        validation_bin_examples=examples[held_out:],
        validation_bin_offsets=np.arange(0, 3 * validation_bins + 1, 3, dtype=np.int64),
        validation_bin_sources=((np.arange(validation_bins) + bins) % 2).astype(np.int16),
        source_names=("ads", "general"),
        sequence_length=SEQUENCE_LENGTH,
        digest=digest,
    )


def build_config(base_model: Path, **training: Any) -> RunConfig:
    settings = {
        "learning_rate": 3e-3,
        "sequence_length": SEQUENCE_LENGTH,
        "batch_tokens": BINS_PER_STEP * SEQUENCE_LENGTH,
        "warmup_ratio": 0.2,
        "checkpoint": Checkpoint(every_minutes=600),
    }
    sources = (
        Source(name="ads", role=Role.IN_DOMAIN, uri="pvc://work/ads.jsonl", weight=1),
        Source(name="general", role=Role.GENERAL, uri="pvc://work/general.jsonl", weight=1),
    )
    return RunConfig(
        uid="uid-1",
        namespace="team",
        name="run",
        spec=BlendedFineTuneSpec(
            model=Model(uri=f"file://{base_model}", chat_template=ChatTemplate.CHATML),
            blend=Blend(sources=sources, budget=Budget(epochs=2)),
            storage=Storage(persistent_volume_claim="work"),
            training=Training(**(settings | training)),
        ),
        gpu=GpuPreset(name="cpu", resource_name=None),
    )


@dataclass
class Run:
    """A run on disk, and ways to train it."""

    folder: Path
    config: RunConfig

    @property
    def workspace(self) -> Workspace:
        config = self.config
        return workspace(self.folder, config.spec.storage, config.namespace, config.name)

    @property
    def message(self) -> Path:
        return self.folder / "message"

    @staticmethod
    def create(folder: Path, base_model: Path, blend: PackedBlend | None = None, **training: Any) -> Run:
        """A run in `folder`, its data blended."""
        run = Run(folder, build_config(base_model, **training))
        (blend or build_blend()).write(run.workspace.blend)
        return run

    def message_of(self, rank: int) -> str:
        return Path(f"{self.message}-{rank}").read_text()

    def outcome_of(self, rank: int) -> Outcome:
        return decode_message(self.message_of(rank))

    def log_of(self, rank: int) -> str:
        return Path(f"{self.message}-{rank}.log").read_text()

    @property
    def result(self) -> TrainResult:
        outcome = self.outcome_of(0)
        assert isinstance(outcome, TrainResult), outcome
        return outcome

    def steps(self) -> list[dict[str, Any]]:
        path = self.workspace.steps_log
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def losses(self) -> list[float]:
        return [line["loss"] for line in self.steps()]

    def column(self, name: str) -> list[Any]:
        return [line[name] for line in self.steps()]

    def with_training(self, **changes: Any) -> Run:
        """The same workspace under a changed configuration."""
        spec = replace(self.config.spec, training=replace(self.config.spec.training, **changes))
        return replace(self, config=replace(self.config, spec=spec))

    def with_model(self, folder: Path) -> Run:
        spec = replace(self.config.spec, model=Model(uri=f"file://{folder}"))
        return replace(self, config=replace(self.config, spec=spec))

    def start(
        self,
        ranks: int = 1,
        *,
        room_for_checkpoints: int | None = None,
        interruption: Interruption | None = None,
    ) -> list[Rank]:
        """Starts the ranks of one node, with the faults of `start_rank`."""
        environment = self.environment(ranks)
        self.message.unlink(missing_ok=True)
        processes = []
        for rank in range(ranks):
            message = Path(f"{self.message}-{rank}")
            message.unlink(missing_ok=True)
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank), Env.TERMINATION_LOG: str(message)}
            processes.append(start_rank(environment | own, room_for_checkpoints, interruption))
        return processes

    def train(self, ranks: int = 1, **faults: Any) -> list[int]:
        """Trains to the end, with the faults of `start`, and returns the ranks' exit codes."""
        return finish(self.start(ranks, **faults))

    def environment(self, ranks: int) -> dict[str, str]:
        config = self.folder / "config.json"
        config.write_text(json.dumps(encode(self.config)))
        return {
            "WORLD_SIZE": str(ranks),
            "OMP_NUM_THREADS": "1",
            Env.CONFIG: str(config),
            Env.CLAIMS: str(self.folder),
            Env.MASTER_ADDR: "127.0.0.1",
            Env.MASTER_PORT: str(free_port()),
        }
