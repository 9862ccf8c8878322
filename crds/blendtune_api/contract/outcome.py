"""The outcome of a stage, which is a result or a failure, and its progress while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from blendtune_api.contract.config import UNKNOWN_DATE
from blendtune_api.marks import Mark
from blendtune_api.v1alpha1 import (
    AskedQuestions,
    BadRows,
    BenchmarkScore,
    BlendedSource,
    EpochModel,
    EpochScore,
    EvaluationDigests,
    InterpolationStatus,
    Reason,
    RehearsedSource,
    RetentionScore,
    RoleDivergence,
    ScopeScore,
    SourceLoss,
    Thinking,
    UnfinishedAnswers,
    UnsureAnswers,
    Verdict,
)

# What goes into a status has the bounds that it has there.
Count = Annotated[int, Mark("A number of things.", minimum=0)]
Amount = Annotated[float | None, Mark("A loss, a time or a rate; None: unknown.", minimum=0)]
Digest = Annotated[str, Mark("A digest.", max_length=128)]
Text = Annotated[str, Mark("Words for people.", max_length=1024)]
Why = Annotated[str, Mark("A reason for people.", max_length=512)]


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
    digest: Digest  # of the ordered blend
    config_digest: str
    tokens: Count
    steps: Count
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
    steps: Count
    tokens: Count
    model_digest: Digest
    final_loss: Amount = None
    validation_loss: tuple[SourceLoss, ...] = ()
    divergence: tuple[RoleDivergence, ...] = ()
    stopped_early: Why = ""  # before the last planned step
    gpu_seconds: Amount = None
    tokens_per_second_per_gpu: Amount = None
    mfu: Amount = None
    epochs: tuple[EpochModel, ...] = ()  # without the last epoch, whose model is `model_digest`


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalResult:
    overall: ScopeScore
    general: ScopeScore
    in_domain: ScopeScore
    dimensions: tuple[ScopeScore, ...]
    categories: tuple[ScopeScore, ...]
    coverage: Annotated[float, Mark("Of the questions.", minimum=0, maximum=1)]
    digests: EvaluationDigests
    verdict: Verdict | None = None
    not_compared: Text = ""
    report_uri: Text = ""
    contaminated: int = 0  # rubric questions found in the training rows
    epochs: tuple[EpochScore, ...] = ()
    benchmarks: tuple[BenchmarkScore, ...] = ()
    retention: tuple[RetentionScore, ...] = ()
    unsure: tuple[UnsureAnswers, ...] = ()  # the most frequent reason first
    unfinished: UnfinishedAnswers | None = None
    asked: AskedQuestions | None = None  # where it may stop early
    interpolation: InterpolationStatus | None = None
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
    divergence_general: float | None = None  # KL(base, tuned) of the latest validation, nats per token
    divergence_in_domain: float | None = None
    tokens: int = 0
    tokens_per_second: float | None = None
    tokens_per_second_per_gpu: float | None = None
    mfu: float | None = None
    remaining_seconds: float | None = None
    save_seconds: float | None = None  # the slowest checkpoint of this attempt, until all ranks had saved
    checkpoint_bytes: int | None = None  # size of the latest checkpoint
    phase: str = ""  # loading, validating, training, saving, exporting; rehearsing
