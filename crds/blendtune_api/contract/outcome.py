"""The outcome of a stage, which is a result or a failure, and its progress while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from blendtune_api.contract.config import UNKNOWN_DATE
from blendtune_api.v1alpha1 import (
    BadRows,
    BenchmarkScore,
    BlendedSource,
    EpochModel,
    EpochScore,
    EvaluationDigests,
    Reason,
    RehearsedSource,
    RetentionScore,
    ScopeScore,
    SourceLoss,
    Thinking,
    UnfinishedAnswers,
    UnsureAnswers,
    Verdict,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricResult:
    """The rubric is sound and was written to the workspace."""

    name: str
    digest: str
    general: int  # questions
    in_domain: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """Bytes in use on one GPU, by purpose."""

    model_states: int
    gathered_layer: int  # of ZeRO stage 3
    activations: int
    logits: int

    @property
    def total(self) -> int:
        return self.model_states + self.gathered_layer + self.activations + self.logits


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How a training is laid out on its GPUs. A micro-batch is one row of `bins_per_micro_batch` bins."""

    zero_stage: int
    bins_per_micro_batch: int
    activation_checkpointing: bool
    memory: Memory


@dataclass(frozen=True, kw_only=True, slots=True)
class RehearseResult:
    """The base model has written the rows of the sources self://; they are in the workspace."""

    config_digest: str
    sources: tuple[RehearsedSource, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendResult:
    digest: str  # of the ordered blend
    config_digest: str
    tokens: int
    steps: int
    sources: tuple[BlendedSource, ...]
    parameters: int  # of the base model
    adapter_parameters: int = 0  # trained by a LoRA
    base_model_digest: str = ""
    layout: Layout | None = None
    rendering: str = ""  # digest of the chat template and its variables
    thinking: Thinking = Thinking.OFF  # on or off, as the examples were rendered
    date: str = UNKNOWN_DATE  # what the chat template took for today, in ISO 8601
    training_seconds: float | None = None  # estimated time of the steps; None if the GPU's peak is unknown
    warnings: tuple[str, ...] = ()
    bad_rows: tuple[BadRows, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainResult:
    config_digest: str
    blend_digest: str
    steps: int
    tokens: int
    model_digest: str
    final_loss: float | None = None
    validation_loss: tuple[SourceLoss, ...] = ()
    gpu_seconds: float | None = None
    tokens_per_second_per_gpu: float | None = None
    mfu: float | None = None
    epochs: tuple[EpochModel, ...] = ()  # without the last epoch, whose model is `model_digest`


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalResult:
    overall: ScopeScore
    general: ScopeScore
    in_domain: ScopeScore
    dimensions: tuple[ScopeScore, ...]
    categories: tuple[ScopeScore, ...]
    coverage: float
    digests: EvaluationDigests
    verdict: Verdict | None = None
    not_compared: str = ""
    report_uri: str = ""
    contaminated: int = 0  # rubric questions found in the training rows
    epochs: tuple[EpochScore, ...] = ()
    benchmarks: tuple[BenchmarkScore, ...] = ()
    retention: tuple[RetentionScore, ...] = ()
    unsure: tuple[UnsureAnswers, ...] = ()  # the most frequent reason first
    unfinished: UnfinishedAnswers | None = None
    unscored_reason: str = ""  # the most frequent reason, if questions are unscored


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why a stage ended without a result. The message says what was wrong, where, and what to do."""

    reason: Reason
    message: str


Outcome = RubricResult | RehearseResult | BlendResult | TrainResult | EvalResult | Failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """The response of rank 0 to `GET /progress`, as JSON. In a rehearsal a step is a token that is kept."""

    step: int
    steps: int
    loss: float | None = None
    learning_rate: float | None = None
    tokens: int = 0
    tokens_per_second: float | None = None
    tokens_per_second_per_gpu: float | None = None
    mfu: float | None = None
    remaining_seconds: float | None = None
    save_seconds: float | None = None  # the slowest checkpoint of this attempt, until all ranks had saved
    checkpoint_bytes: int | None = None  # size of the latest checkpoint
    phase: str = ""  # loading, validating, training, saving, exporting; rehearsing
