"""How to train, on which hardware, and where to export the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1.enums import (
    ActivationCheckpointing,
    AfterSuccess,
    Attention,
    Gang,
    Kernels,
    LoraExport,
    Method,
    Precision,
    Schedule,
    StoppingMetric,
    Tracker,
)
from blendtune_api.v1alpha1.limits import COMPARED_POSITIONS, EXPORT_URI, MAX_COMPARED_POSITIONS
from blendtune_api.v1alpha1.pods import RehearsePod, StagePod


@dataclass(frozen=True, kw_only=True, slots=True)
class Lora:
    """LoRA, arXiv 2106.09685."""

    rank: Annotated[int, Mark("Rank of the update.", minimum=1, maximum=1024)] = 16
    alpha: Annotated[float, Mark("Scale of the update.", exclusive_minimum=0, maximum=4096)] = 32
    target_modules: Annotated[
        tuple[Annotated[str, Mark("Name of a linear layer.", min_length=1, max_length=255)], ...],
        Mark(
            "Linear layers to adapt, by the end of their name. Empty: all but the head; fewer did not match "
            "full fine-tuning in arXiv 2305.14314.",
            max_items=64,
        ),
    ] = ()
    export: Annotated[
        LoraExport,
        Mark(
            "What spec.export.uri gets: Merged (the whole model) or Adapter (for peft and vLLM). The "
            "workspace keeps both; the merged model is evaluated."
        ),
    ] = LoraExport.MERGED


@dataclass(frozen=True, kw_only=True, slots=True)
class Adam:
    """The optimizer's moments. The defaults are torch.optim.AdamW's."""

    beta1: Annotated[float, Mark("Decay of the first moment.", minimum=0, exclusive_maximum=1)] = 0.9
    beta2: Annotated[float, Mark("Decay of the second moment.", minimum=0, exclusive_maximum=1)] = 0.999
    epsilon: Annotated[
        float, Mark("Term that keeps the division finite.", exclusive_minimum=0, maximum=1)
    ] = 1e-8


@dataclass(frozen=True, kw_only=True, slots=True)
class DeepSpeed:
    stage: Annotated[int | str, Mark("ZeRO stage: auto, 1, 2 or 3.", max_length=4, int_or_string=True)] = (
        "auto"
    )
    overrides: Annotated[
        Mapping[str, Any],
        Mark(
            "DeepSpeed configuration, merged over the generated one.",
            max_items=64,
            preserve_unknown_fields=True,
        ),
    ] = field(default_factory=dict)

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.stage == 'auto' || self.stage == 1 || self.stage == 2 || self.stage == 3",
            message="stage must be auto, 1, 2 or 3",
            check=lambda self: self.stage in ("auto", 1, 2, 3),
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    every_minutes: Annotated[
        float, Mark("Minutes between checkpoints.", exclusive_minimum=0, maximum=10_080)
    ] = 30
    keep: Annotated[int, Mark("Checkpoints kept while training.", minimum=1, maximum=100)] = 2
    after_success: Annotated[AfterSuccess, Mark("Delete or Keep them once the model is exported.")] = (
        AfterSuccess.DELETE
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlyStopping:
    metric: Annotated[
        StoppingMetric,
        Mark("loss (with patience), or kl (with max): KL(base, tuned) on the general held-out rows."),
    ] = StoppingMetric.LOSS
    patience: Annotated[
        int,
        Mark(
            "Validations without improvement of the validation loss before training stops; 0 = off.",
            minimum=0,
            maximum=1000,
        ),
    ] = 0
    max: Annotated[
        float | None,
        Mark(
            "Of metric kl, the largest divergence in nats per token: after a validation that finds more, "
            "training stops.",
            exclusive_minimum=0,
            maximum=100,
        ),
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(self.metric == 'kl') == has(self.max)",
            message="max must be set when metric is kl, and only then",
            check=lambda self: (self.metric is StoppingMetric.KL) == (self.max is not None),
            field_path="max",
        ),
        Rule(
            cel="self.metric != 'kl' || self.patience == 0",
            message="patience is of metric loss: with metric kl, leave it out",
            check=lambda self: self.metric is not StoppingMetric.KL or self.patience == 0,
            field_path="patience",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class DivergenceMeasure:
    """How far the predictions on held-out rows have moved from the base model's, at each validation."""

    positions: Annotated[
        int,
        Mark(
            "Most predicted tokens of each role, evenly chosen from the held-out rows, at which KL(base, "
            "tuned) is measured. 0: none.",
            minimum=0,
            maximum=MAX_COMPARED_POSITIONS,
        ),
    ] = COMPARED_POSITIONS


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """learningRate, schedule, weightDecay and sequenceLength have the paper's defaults (arXiv 2310.04945)."""

    method: Annotated[Method, Mark("full fine-tuning or lora.")] = Method.FULL
    lora: Annotated[Lora, Mark("Settings of method lora.")] = field(default_factory=Lora)
    learning_rate: Annotated[float, Mark("Peak learning rate.", exclusive_minimum=0, maximum=1)] = 3e-5
    schedule: Annotated[Schedule, Mark("Course of the learning rate after warm-up.")] = Schedule.COSINE
    warmup_ratio: Annotated[
        float, Mark("Share of the steps that warm up; 0.03 is Vicuna's.", minimum=0, exclusive_maximum=1)
    ] = 0.03
    min_learning_rate_ratio: Annotated[
        float, Mark("Last learning rate as a share of the peak.", minimum=0, maximum=1)
    ] = 0
    weight_decay: Annotated[
        float, Mark("Decoupled weight decay, not on norms and biases.", minimum=0, maximum=10)
    ] = 0.1
    max_grad_norm: Annotated[
        float, Mark("Gradient clipping by global norm; 0 = off.", minimum=0, maximum=1000)
    ] = 1.0
    adam: Annotated[Adam, Mark("Moments of AdamW.")] = field(default_factory=Adam)
    sequence_length: Annotated[
        int, Mark("Tokens in a bin; longer conversations are not trained on.", minimum=8, maximum=1_048_576)
    ] = 2048
    batch_tokens: Annotated[
        int,
        Mark(
            "Tokens per optimizer step over all ranks; a multiple of sequenceLength.",
            minimum=8,
            maximum=2**31 - 1,
        ),
    ] = 262_144
    precision: Annotated[Precision, Mark("auto, bf16 or fp32.")] = Precision.AUTO
    attention: Annotated[Attention, Mark("auto, varlen, flash_attention_2, sdpa or eager.")] = Attention.AUTO
    kernels: Annotated[
        Kernels,
        Mark(
            "none, liger (norms, rotary embeddings and feed-forward networks in one kernel each), or auto "
            "(liger on GPUs in 16 bits, where it knows the model)."
        ),
    ] = Kernels.NONE
    activation_checkpointing: Annotated[
        ActivationCheckpointing, Mark("auto (only when memory needs it), enabled or disabled.")
    ] = ActivationCheckpointing.AUTO
    deepspeed: Annotated[DeepSpeed, Mark("ZeRO stage and overrides.")] = field(default_factory=DeepSpeed)
    checkpoint: Annotated[Checkpoint, Mark("Cadence and retention of checkpoints.")] = field(
        default_factory=Checkpoint
    )
    early_stopping: Annotated[EarlyStopping, Mark("Stop on what validation finds.")] = field(
        default_factory=EarlyStopping
    )
    divergence: Annotated[DivergenceMeasure, Mark("What validation compares with the base model.")] = field(
        default_factory=DivergenceMeasure
    )
    hang_timeout_minutes: Annotated[
        float,
        Mark(
            "Minutes without a step after which a rank exits with a retryable code.",
            exclusive_minimum=0,
            maximum=10_080,
        ),
    ] = 30
    tracking: Annotated[
        tuple[Tracker, ...],
        Mark(
            "tensorboard, mlflow, wandb. The credentials' MLFLOW_TRACKING_URI and WANDB_API_KEY send the "
            "latter two elsewhere than into the workspace.",
            max_items=3,
        ),
    ] = ()
    seed: Annotated[int, Mark("Seed of the training.", minimum=0, maximum=2**31 - 1)] = 42

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.batchTokens % self.sequenceLength == 0",
            message="batchTokens must be a multiple of sequenceLength",
            check=lambda self: self.batch_tokens % self.sequence_length == 0,
            field_path="batchTokens",
        ),
        Rule(
            cel="!(self.attention in ['varlen', 'flash_attention_2']) || self.precision != 'fp32'",
            message="varlen and flash_attention_2 compute in 16 bits: with fp32, set auto, sdpa or eager",
            check=lambda self: (
                self.attention not in (Attention.VARLEN, Attention.FLASH_ATTENTION_2)
                or self.precision is not Precision.FP32
            ),
            field_path="attention",
        ),
        Rule(
            cel="self.kernels != 'liger' || self.precision != 'fp32'",
            message="liger computes in 16 bits: with fp32, set auto or none",
            check=lambda self: self.kernels is not Kernels.LIGER or self.precision is not Precision.FP32,
            field_path="kernels",
        ),
        Rule(
            cel="self.earlyStopping.metric != 'kl' || self.divergence.positions > 0",
            message="earlyStopping.metric kl needs what divergence.positions measures: leave it above 0",
            check=lambda self: (
                self.early_stopping.metric is not StoppingMetric.KL or self.divergence.positions > 0
            ),
            field_path="divergence",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    nodes: Annotated[int, Mark("Pods of the training gang.", minimum=1, maximum=1024)] = 1
    gpus_per_node: Annotated[int, Mark("GPUs and ranks in each pod.", minimum=1, maximum=16)] = 8
    gpu_type: Annotated[
        str, Mark("Preset of node selector, toleration, memory and peak FLOP/s.", min_length=1, max_length=63)
    ] = "a100-80gb"
    gang: Annotated[
        Gang,
        Mark(
            "What makes the pods of the training: PyTorchJob, TrainJob, JobSet or Job. Auto: the first of "
            "these that the API server serves; status.pinned.gang says which."
        ),
    ] = Gang.AUTO
    queue_name: Annotated[
        str, Mark("Kueue LocalQueue of the pods of all stages. Empty: none.", max_length=253)
    ] = ""
    backoff_limit: Annotated[
        int,
        Mark(
            "Failed attempts of a stage that are retried; disruptions do not count.", minimum=0, maximum=100
        ),
    ] = 3
    active_deadline_seconds: Annotated[
        int | None,
        Mark("Longest training time over all attempts, queueing not counted.", minimum=1, maximum=2**31 - 1),
    ] = None
    rehearse: Annotated[
        RehearsePod, Mark("Pod of the rehearse Job, which runs only where a source is self://.")
    ] = field(default_factory=RehearsePod)
    blend: Annotated[StagePod, Mark("Pod of the blend Job.")] = field(default_factory=StagePod)
    train: Annotated[StagePod, Mark("Pods of the training.")] = field(default_factory=StagePod)
    eval: Annotated[StagePod, Mark("Pod of the eval Job.")] = field(default_factory=StagePod)


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    uri: Annotated[
        str,
        Mark("Where to copy the model to; the workspace copy stays.", pattern=EXPORT_URI, max_length=1024),
    ]
