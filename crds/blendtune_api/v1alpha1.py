"""The resources of `blendtune.io/v1alpha1`: BlendedFineTune and RubricEval, spec and status.

Every field carries its description and bounds; the CRDs and the API reference are generated from here. A
default that stands inside a list item is applied in code, never in the schema: the API server would write it
into the object and GitOps tools would report a permanent difference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Annotated, Any, ClassVar

from blendtune_api.marks import Mark, Rule

GROUP = "blendtune.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
BLENDED_FINE_TUNE = "BlendedFineTune"
RUBRIC_EVAL = "RubricEval"

NAME_MAX_LENGTH = 40  # leaves room for "-train-<attempt>-worker-<index>" within 63 characters
MAX_SOURCES = 16
MAX_CATEGORIES = 16
MAX_EPOCH_MODELS = 16  # whose digests fit into a message
GENERAL_MAX_EPOCHS = 4.0  # repeats up to four are almost as good as new data (arXiv 2305.16264)
VALIDATION_FRACTION = 0.02

MODEL_URI = r"^(hf|s3|pvc|file)://[^\s]+$"
DATA_URI = r"^(hf|s3|pvc|file)://[^\s]+$"
EXPORT_URI = r"^(s3|pvc|file)://[^\s]+$"
API_URL = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"  # without credentials, which belong in a Secret
DNS_1035_LABEL = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
RELATIVE_PATH = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*$"


class Role(StrEnum):
    """What a source teaches: the business, or the world that must not be forgotten."""

    IN_DOMAIN = "inDomain"
    GENERAL = "general"


class ChatTemplate(StrEnum):
    """How a conversation becomes text; the templates themselves are in `blendtune_api.chat_templates`."""

    VICUNA = "vicuna"
    LLAMA_2 = "llama-2"
    CHATML = "chatml"
    LLAMA_3 = "llama-3"


class Unit(StrEnum):
    """What the weights of a blend count."""

    TOKENS = "tokens"
    SUPERVISED_TOKENS = "supervisedTokens"
    EXAMPLES = "examples"


class OverLength(StrEnum):
    """What happens to a conversation longer than the sequence length. It is never cut."""

    DROP = "drop"
    ERROR = "error"


class Method(StrEnum):
    FULL = "full"
    LORA = "lora"


class LoraExport(StrEnum):
    """What of a LoRA training goes to spec.export.uri; the workspace always keeps both."""

    MERGED = "Merged"
    ADAPTER = "Adapter"


class Schedule(StrEnum):
    COSINE = "cosine"
    LINEAR = "linear"
    CONSTANT = "constant"


class Precision(StrEnum):
    """`auto` is bf16 on CUDA and fp32 on CPU."""

    AUTO = "auto"
    BF16 = "bf16"
    FP32 = "fp32"


class Attention(StrEnum):
    """`auto` is FlashAttention 2 on CUDA when installed, else scaled dot product attention."""

    AUTO = "auto"
    FLASH_ATTENTION_2 = "flash_attention_2"
    SDPA = "sdpa"
    EAGER = "eager"


class ActivationCheckpointing(StrEnum):
    AUTO = "auto"
    ENABLED = "enabled"
    DISABLED = "disabled"


class AfterSuccess(StrEnum):
    """What becomes of the training checkpoints once the model is exported."""

    DELETE = "Delete"
    KEEP = "Keep"


class Tracker(StrEnum):
    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class JudgeKind(StrEnum):
    RULES = "Rules"
    OPENAI = "OpenAI"


class Engine(StrEnum):
    """What runs the models that are asked."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"


class Metric(StrEnum):
    """The scopes that a gate may name. Categories describe; with five questions each they cannot decide."""

    OVERALL = "overall"
    GENERAL = "general"
    IN_DOMAIN = "inDomain"
    RELIABILITY = "reliability"
    CONSISTENCY = "consistency"
    BUSINESS_IMPACT = "businessImpact"


class State(StrEnum):
    """The summary of the conditions, for the printer column."""

    PENDING = "Pending"
    QUEUED = "Queued"
    BLENDING = "Blending"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class Stage(StrEnum):
    BLEND = "blend"
    TRAIN = "train"
    EVAL = "eval"


class ConditionType(StrEnum):
    ACCEPTED = "Accepted"
    DATA_BLENDED = "DataBlended"
    SIZED = "Sized"
    TRAINING_SUCCEEDED = "TrainingSucceeded"
    EVALUATION_SUCCEEDED = "EvaluationSucceeded"
    GATES_PASSED = "GatesPassed"
    SUSPENDED = "Suspended"
    RECOMMENDED = "Recommended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class ConditionStatus(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Every reason a condition of this API may carry."""

    ACCEPTED = "Accepted"
    INVALID_SPEC = "InvalidSpec"
    NOT_SUPPORTED = "NotSupported"
    UNKNOWN_GPU_TYPE = "UnknownGpuType"
    SERVICE_ACCOUNT_NOT_ALLOWED = "ServiceAccountNotAllowed"
    TRAINING_OPERATOR_MISSING = "TrainingOperatorMissing"
    NAME_CONFLICT = "NameConflict"
    CHILD_REFUSED = "ChildRefused"
    WORKSPACE_IN_USE = "WorkspaceInUse"
    PENDING = "Pending"
    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    BACKING_OFF = "BackingOff"
    SUSPENDED = "Suspended"
    NOT_SUSPENDED = "NotSuspended"
    RESUMED = "Resumed"
    COMPLETED = "Completed"
    FITS = "Fits"
    DOES_NOT_FIT = "DoesNotFit"
    NOT_SIZED = "NotSized"
    BAD_CONFIGURATION = "BadConfiguration"
    BAD_DATA = "BadData"
    BAD_RUBRIC = "BadRubric"
    STAGE_FAILED = "StageFailed"
    OUT_OF_MEMORY = "OutOfMemory"
    DISRUPTED = "Disrupted"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    RESULT_MISSING = "ResultMissing"
    NO_GATES = "NoGates"
    GATES_PASSED = "GatesPassed"
    GATES_FAILED = "GatesFailed"
    GATES_INCONCLUSIVE = "GatesInconclusive"
    MARGIN_TOO_FINE = "MarginTooFine"
    RECOMMENDED = "Recommended"
    CANNOT_TELL = "CannotTell"
    NONE_ALLOWED = "NoneAllowed"
    TOO_MANY_FAILED_RUNS = "TooManyFailedRuns"
    NO_RUN_SUCCEEDED = "NoRunSucceeded"
    GPU_HOURS_SPENT = "GpuHoursSpent"


class GateResult(StrEnum):
    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"


class Verdict(StrEnum):
    """The tuned model against the base model, over the general and the in-domain questions."""

    IMPROVED = "Improved"
    REGRESSED = "Regressed"
    MIXED = "Mixed"
    INCONCLUSIVE = "Inconclusive"


class DiagnosisVerdict(StrEnum):
    BALANCED = "Balanced"
    IMBALANCED_BLEND = "ImbalancedBlend"
    FORGETTING = "Forgetting"
    OVERTRAINED = "Overtrained"
    INCONCLUSIVE = "Inconclusive"


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalObjectReference:
    name: Annotated[str, Mark("Name of the object, in the same namespace.", min_length=1, max_length=253)]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySelector:
    name: Annotated[
        str, Mark("Name of the ConfigMap or Secret, in the same namespace.", min_length=1, max_length=253)
    ]
    key: Annotated[str, Mark("Key within it.", min_length=1, max_length=253)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    uri: Annotated[
        str,
        Mark(
            "The model: hf://org/name, s3://bucket/path, pvc://claim/path; file:///path in local mode.",
            pattern=MODEL_URI,
            max_length=1024,
        ),
    ]
    revision: Annotated[
        str, Mark("Branch, tag or commit of an hf:// model.", min_length=1, max_length=255)
    ] = "main"
    chat_template: Annotated[
        ChatTemplate | None, Mark("Chat template by name. Unset: the tokenizer's own.")
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Storage:
    persistent_volume_claim: Annotated[
        str,
        Mark(
            "The claim that holds the workspace; ReadWriteMany when the run spans several nodes.",
            pattern=DNS_LABEL,
            max_length=63,
        ),
    ]
    path: Annotated[
        str | None,
        Mark(
            "Folder of this run within the claim. Unset: <namespace>/<name>.",
            pattern=RELATIVE_PATH,
            max_length=255,
        ),
    ] = None
    shared_path: Annotated[
        str | None,
        Mark(
            "Folder within the claim for what several runs use: answers of models, encoded rows, downloaded "
            "models. Unset: the run's own folder.",
            pattern=RELATIVE_PATH,
            max_length=255,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    secret_ref: Annotated[
        LocalObjectReference | None,
        Mark("Secret whose keys the pods that need them get as environment. Never read by the operator."),
    ] = None
    service_account_name: Annotated[
        str | None, Mark("Service account of the pods.", pattern=DNS_LABEL, max_length=63)
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StagePod:
    """How the pods of one stage differ from what the operator renders."""

    image: Annotated[str, Mark("Image. Empty: the operator's default for this stage.", max_length=512)] = ""
    resources: Annotated[
        Mapping[str, Any],
        Mark(
            "Container resources, as in core/v1. Merged over the preset.",
            max_items=8,
            preserve_unknown_fields=True,
        ),
    ] = field(default_factory=dict)
    pod_template: Annotated[
        Mapping[str, Any],
        Mark(
            "Partial core/v1 PodTemplateSpec, merged over the rendered: maps by key, named lists by name.",
            max_items=8,
            preserve_unknown_fields=True,
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    epochs: Annotated[
        float | None,
        Mark(
            "Passes over the in-domain data; over all data when no source is in-domain.",
            exclusive_minimum=0,
            maximum=1000,
        ),
    ] = None
    tokens: Annotated[
        int | None, Mark("Tokens of the whole blend, all sources together.", minimum=1, maximum=10**15)
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.epochs) != has(self.tokens)",
            message="set exactly one of epochs and tokens",
            check=lambda self: (self.epochs is None) != (self.tokens is None),
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    name: Annotated[
        str, Mark("Name of the source, unique within the blend.", pattern=DNS_LABEL, max_length=40)
    ]
    role: Annotated[Role, Mark("inDomain or general.")]
    uri: Annotated[
        str,
        Mark(
            "JSONL, JSON or Parquet rows of conversations: hf://datasets/org/name, s3://, pvc://claim/path, "
            "or file:///path in local mode.",
            pattern=DATA_URI,
            max_length=1024,
        ),
    ]
    weight: Annotated[
        float,
        Mark(
            "Share of the blend, relative to the other sources' weights.",
            exclusive_minimum=0,
            maximum=1_000_000,
        ),
    ]
    max_epochs: Annotated[
        float | None,
        Mark(
            "Most passes over this source. Unset: 4 for a general source, the budget's epochs rounded up for "
            "an in-domain one. A blend that needs more is refused.",
            exclusive_minimum=0,
            maximum=1000,
        ),
    ] = None

    def resolved_max_epochs(self, budget: Budget) -> float:
        """The most passes over this source. By default a budget of tokens sets no bound on in-domain data."""
        if self.max_epochs is not None:
            return self.max_epochs
        if self.role is Role.GENERAL:
            return GENERAL_MAX_EPOCHS
        return float(ceil(budget.epochs)) if budget.epochs is not None else float("inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    fraction: Annotated[
        float | None,
        Mark(
            "Rows of each source held out before blending. Unset, without uri: 0.02.", minimum=0, maximum=0.5
        ),
    ] = None
    uri: Annotated[
        str | None, Mark("Rows to validate on instead, never trained on.", pattern=DATA_URI, max_length=1024)
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!(has(self.fraction) && has(self.uri))",
            message="set at most one of fraction and uri",
            check=lambda self: self.fraction is None or self.uri is None,
        ),
    )

    @property
    def resolved_fraction(self) -> float:
        """The fraction of each source that is held out; 0 when a uri names the validation rows."""
        if self.uri is not None:
            return 0.0
        return VALIDATION_FRACTION if self.fraction is None else self.fraction


@dataclass(frozen=True, kw_only=True, slots=True)
class Blend:
    sources: Annotated[
        tuple[Source, ...],
        Mark("The data and the share of each.", min_items=1, max_items=MAX_SOURCES, list_map_keys=("name",)),
    ]
    budget: Annotated[Budget, Mark("How much to train on: epochs or tokens.")]
    unit: Annotated[
        Unit, Mark("What the weights count, after templating and removal of over-long conversations.")
    ] = Unit.TOKENS
    seed: Annotated[
        int, Mark("Seed of the order and of the validation split.", minimum=0, maximum=2**31 - 1)
    ] = 42
    over_length: Annotated[
        OverLength, Mark("drop (counted and reported) or error, for a conversation over the sequence length.")
    ] = OverLength.DROP
    validation: Annotated[Validation, Mark("Rows held out, or where to find them.")] = field(
        default_factory=Validation
    )


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
    patience: Annotated[
        int,
        Mark(
            "Validations without improvement of the validation loss before training stops; 0 = off.",
            minimum=0,
            maximum=1000,
        ),
    ] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """learningRate, schedule, weightDecay and sequenceLength default to the paper's (arXiv 2310.04945)."""

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
    attention: Annotated[Attention, Mark("auto, flash_attention_2, sdpa or eager.")] = Attention.AUTO
    activation_checkpointing: Annotated[
        ActivationCheckpointing, Mark("auto (only when memory needs it), enabled or disabled.")
    ] = ActivationCheckpointing.AUTO
    deepspeed: Annotated[DeepSpeed, Mark("ZeRO stage and overrides.")] = field(default_factory=DeepSpeed)
    checkpoint: Annotated[Checkpoint, Mark("Cadence and retention of checkpoints.")] = field(
        default_factory=Checkpoint
    )
    early_stopping: Annotated[EarlyStopping, Mark("Stop on validation loss.")] = field(
        default_factory=EarlyStopping
    )
    hang_timeout_minutes: Annotated[
        float,
        Mark(
            "Minutes without a step after which a rank ends itself, retryable.",
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
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    nodes: Annotated[int, Mark("Pods of the training gang.", minimum=1, maximum=1024)] = 1
    gpus_per_node: Annotated[int, Mark("GPUs and ranks in each pod.", minimum=1, maximum=16)] = 8
    gpu_type: Annotated[
        str, Mark("Preset of node selector, toleration, memory and peak FLOP/s.", min_length=1, max_length=63)
    ] = "a100-80gb"
    queue_name: Annotated[
        str, Mark("Kueue LocalQueue of the train and eval pods. Empty: none.", max_length=253)
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
    blend: Annotated[StagePod, Mark("Pod of the blend Job.")] = field(default_factory=StagePod)
    train: Annotated[StagePod, Mark("Pods of the PyTorchJob.")] = field(default_factory=StagePod)
    eval: Annotated[StagePod, Mark("Pod of the eval Job.")] = field(default_factory=StagePod)


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    uri: Annotated[
        str,
        Mark("Where to copy the model to; the workspace copy stays.", pattern=EXPORT_URI, max_length=1024),
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricReference:
    builtin: Annotated[
        str | None, Mark("A rubric that ships with Blendtune.", pattern=DNS_LABEL, max_length=63)
    ] = None
    config_map_ref: Annotated[KeySelector | None, Mark("A rubric of your own.")] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.builtin) != has(self.configMapRef)",
            message="set exactly one of builtin and configMapRef",
            check=lambda self: (self.builtin is None) != (self.config_map_ref is None),
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationBaseline:
    enabled: Annotated[bool, Mark("Ask the base model the same questions.")] = True
    system_prompt: Annotated[
        str, Mark("System prompt given to the base model: what prompting alone would do.", max_length=16_384)
    ] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAIJudge:
    url: Annotated[
        str,
        Mark(
            "Base URL of an OpenAI-compatible API, such as https://api.openai.com/v1; /chat/completions is "
            "added. Neither credentials nor a query.",
            pattern=API_URL,
            max_length=1024,
        ),
    ]
    model: Annotated[
        str,
        Mark(
            "Name of the model that judges, at that API; none of those evaluated.",
            min_length=1,
            max_length=255,
        ),
    ]
    api_key_secret_ref: Annotated[
        KeySelector | None, Mark("Secret with the API key, for the eval pod. Unset: no key is sent.")
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    kind: Annotated[JudgeKind, Mark("Rules (deterministic, offline) or OpenAI.")] = JudgeKind.RULES
    open_ai: Annotated[OpenAIJudge | None, Mark("Settings of kind OpenAI.")] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="(self.kind == 'OpenAI') == has(self.openAI)",
            message="openAI must be set when kind is OpenAI, and only then",
            check=lambda self: (self.kind is JudgeKind.OPENAI) == (self.open_ai is not None),
            field_path="openAI",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    max_new_tokens: Annotated[int, Mark("Longest answer, in tokens.", minimum=1, maximum=32_768)] = 256
    temperature: Annotated[float, Mark("0 is greedy.", minimum=0, maximum=2)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationCluster:
    gpus: Annotated[int, Mark("GPUs of the evaluation pod.", minimum=0, maximum=16)] = 1
    gpu_type: Annotated[str, Mark("Preset of node selector and toleration.", min_length=1, max_length=63)] = (
        "a100-80gb"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One threshold that the tuned model must meet. No schema defaults: gates are list items."""

    metric: Annotated[Metric, Mark("What is measured.")]
    min_score: Annotated[float | None, Mark("Least score.", minimum=0, maximum=1)] = None
    min_gain: Annotated[float | None, Mark("Least gain over the base model.", minimum=0, maximum=1)] = None
    max_drop: Annotated[float | None, Mark("Most loss against the base model.", minimum=0, maximum=1)] = None
    max_critical_errors: Annotated[
        int | None, Mark("Most critical errors within the metric's questions.", minimum=0, maximum=100_000)
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="[has(self.minScore), has(self.minGain), has(self.maxDrop), has(self.maxCriticalErrors)]"
            ".filter(set, set).size() == 1",
            message="set exactly one of minScore, minGain, maxDrop and maxCriticalErrors",
            check=lambda self: (
                sum(
                    threshold is not None
                    for threshold in (self.min_score, self.min_gain, self.max_drop, self.max_critical_errors)
                )
                == 1
            ),
        ),
    )


_ENGINE = Mark(
    "What runs the models that are asked: transformers, or vllm, a server that the pod starts for each model "
    "in turn; for large models on GPUs. The image needs the program vllm."
)
_GATES = Mark("Thresholds that GitOps obeys.", max_items=16)
MAX_BENCHMARKS = 16
BENCHMARK_NAME = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"
_BenchmarkName = Annotated[
    str, Mark("A task or group of lm-evaluation-harness.", pattern=BENCHMARK_NAME, max_length=100)
]
_BENCHMARKS = Mark(
    "Standard benchmarks, run after the rubric with the same settings for both models: tasks of "
    "lm-evaluation-harness, or of the folder benchmarks in the storage's claim.",
    max_items=MAX_BENCHMARKS,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    rubric: Annotated[RubricReference, Mark("The questions. Unset: business45.")] = field(
        default_factory=lambda: RubricReference(builtin="business45")
    )
    baseline: Annotated[EvaluationBaseline, Mark("The base model beside the tuned one.")] = field(
        default_factory=EvaluationBaseline
    )
    every_epoch: Annotated[bool, Mark("Score each epoch's checkpoint: the continual-training curve.")] = False
    judge: Annotated[Judge, Mark("Who judges the answers.")] = field(default_factory=Judge)
    sampling: Annotated[Sampling, Mark("How answers are decoded.")] = field(default_factory=Sampling)
    engine: Annotated[Engine, _ENGINE] = Engine.TRANSFORMERS
    benchmarks: Annotated[tuple[_BenchmarkName, ...], _BENCHMARKS] = ()
    cluster: Annotated[EvaluationCluster, Mark("The evaluation pod.")] = field(
        default_factory=EvaluationCluster
    )
    gates: Annotated[tuple[Gate, ...], _GATES] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendedFineTuneSpec:
    model: Annotated[Model, Mark("The base model.")]
    blend: Annotated[Blend, Mark("The data, and the share of each source.")]
    storage: Annotated[Storage, Mark("The workspace shared by all stages.")]
    training: Annotated[Training, Mark("How to train.")] = field(default_factory=Training)
    cluster: Annotated[Cluster, Mark("What to train on.")] = field(default_factory=Cluster)
    credentials: Annotated[Credentials, Mark("Secrets and service account of the pods.")] = field(
        default_factory=Credentials
    )
    export: Annotated[Export | None, Mark("A second home for the model.")] = None
    evaluation: Annotated[Evaluation, Mark("How to prove what was gained and forgotten.")] = field(
        default_factory=Evaluation
    )
    suspend: Annotated[bool, Mark("Stop after a checkpoint and free the GPUs, until false again.")] = False
    retry: Annotated[
        int,
        Mark("May only grow: each growth runs a failed run's failed stage again.", minimum=0, maximum=10_000),
    ] = 0
    ttl_seconds_after_finished: Annotated[
        int | None,
        Mark(
            "Seconds after which a finished run's children are removed; never the resource, nor the data.",
            minimum=0,
            maximum=2**31 - 1,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatedModel:
    """A checkpoint to evaluate."""

    uri: Annotated[
        str, Mark("hf://, s3://, pvc:// or file:// (local mode).", pattern=MODEL_URI, max_length=1024)
    ]
    revision: Annotated[
        str, Mark("Branch, tag or commit of an hf:// model.", min_length=1, max_length=255)
    ] = "main"
    chat_template: Annotated[
        ChatTemplate | None, Mark("Chat template by name. Unset: the tokenizer's own.")
    ] = None
    digest: Annotated[str, Mark("Digest the checkpoint must have. Empty: unchecked.", max_length=128)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricEvalBaseline:
    model: Annotated[EvaluatedModel | None, Mark("The model to compare with. Unset: no comparison.")] = None
    system_prompt: Annotated[str, Mark("System prompt given to it.", max_length=16_384)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricEvalCluster:
    gpus: Annotated[int, Mark("GPUs of the pod.", minimum=0, maximum=16)] = 1
    gpu_type: Annotated[str, Mark("Preset of node selector and toleration.", min_length=1, max_length=63)] = (
        "a100-80gb"
    )
    queue_name: Annotated[str, Mark("Kueue LocalQueue. Empty: none.", max_length=253)] = ""
    backoff_limit: Annotated[int, Mark("Failed attempts that are retried.", minimum=0, maximum=100)] = 3
    eval: Annotated[StagePod, Mark("Pod of the eval Job.")] = field(default_factory=StagePod)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatedEpoch:
    """The model as it was after some epochs of its training."""

    epoch: Annotated[int, Mark("Number of the epoch, from 1.", minimum=1, maximum=100_000)]
    uri: Annotated[
        str, Mark("hf://, s3://, pvc:// or file:// (local mode).", pattern=MODEL_URI, max_length=1024)
    ]
    digest: Annotated[str, Mark("Digest the checkpoint must have. Empty: unchecked.", max_length=128)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricEvalSpec:
    model: Annotated[EvaluatedModel, Mark("The model to evaluate.")]
    storage: Annotated[Storage, Mark("Where answers and report are kept.")]
    baseline: Annotated[RubricEvalBaseline, Mark("What to compare with.")] = field(
        default_factory=RubricEvalBaseline
    )
    epochs: Annotated[
        tuple[EvaluatedEpoch, ...],
        Mark("The model after earlier epochs, asked the same questions.", max_items=MAX_EPOCH_MODELS),
    ] = ()
    rubric: Annotated[RubricReference, Mark("The questions. Unset: business45.")] = field(
        default_factory=lambda: RubricReference(builtin="business45")
    )
    judge: Annotated[Judge, Mark("Who judges the answers.")] = field(default_factory=Judge)
    sampling: Annotated[Sampling, Mark("How answers are decoded.")] = field(default_factory=Sampling)
    engine: Annotated[Engine, _ENGINE] = Engine.TRANSFORMERS
    benchmarks: Annotated[tuple[_BenchmarkName, ...], _BENCHMARKS] = ()
    gates: Annotated[tuple[Gate, ...], _GATES] = ()
    cluster: Annotated[RubricEvalCluster, Mark("The pod.")] = field(default_factory=RubricEvalCluster)
    credentials: Annotated[Credentials, Mark("Secrets and service account of the pod.")] = field(
        default_factory=Credentials
    )
    suspend: Annotated[bool, Mark("Stop and free the GPU, until false again.")] = False
    retry: Annotated[
        int, Mark("May only grow: each growth runs a failed evaluation again.", minimum=0, maximum=10_000)
    ] = 0
    ttl_seconds_after_finished: Annotated[
        int | None,
        Mark(
            "Seconds after which the children of a finished evaluation are removed.",
            minimum=0,
            maximum=2**31 - 1,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """metav1.Condition."""

    type: Annotated[str, Mark("Type of the condition.", max_length=316)]
    status: Annotated[ConditionStatus, Mark("True, False or Unknown.")]
    reason: Annotated[str, Mark("Why, in one word.", min_length=1, max_length=1024)]
    message: Annotated[str, Mark("Why, and what to do.", max_length=32_768)]
    last_transition_time: Annotated[str, Mark("When status last changed.", format="date-time")]
    observed_generation: Annotated[int, Mark("Generation of the spec this speaks of.", minimum=0)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    stage: Annotated[Stage, Mark("blend, train or eval.")]
    number: Annotated[int, Mark("Number of the attempt, from 1.", minimum=1)]
    start_time: Annotated[str, Mark("When it started.", format="date-time")]
    end_time: Annotated[str | None, Mark("When it ended.", format="date-time")] = None
    cause: Annotated[str, Mark("Why it ended; empty while it runs.", max_length=1024)] = ""
    exit_code: Annotated[int | None, Mark("Exit code of the container at fault.", minimum=0, maximum=255)] = (
        None
    )
    counted: Annotated[bool, Mark("Whether it counts against backoffLimit.")] = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedValue:
    name: Annotated[str, Mark("Name of the metric.", max_length=63)]
    value: Annotated[str, Mark("Its latest value.", max_length=63)]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerStatus:
    """Field names are Kubeflow TrainJob's."""

    progress_percentage: Annotated[int | None, Mark("Progress of the training.", minimum=0, maximum=100)] = (
        None
    )
    estimated_remaining_seconds: Annotated[int | None, Mark("Expected time to the end.", minimum=0)] = None
    metrics: Annotated[tuple[NamedValue, ...], Mark("Latest metrics of rank 0.", max_items=16)] = ()
    last_updated_time: Annotated[str | None, Mark("When the trainer was last heard.", format="date-time")] = (
        None
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendedSource:
    name: Annotated[str, Mark("Name of the source.", max_length=40)]
    examples: Annotated[int, Mark("Examples used, repeats counted.", minimum=0)]
    tokens: Annotated[int, Mark("Tokens used, repeats counted.", minimum=0)]
    target_share: Annotated[float, Mark("Declared share.", minimum=0, maximum=1)]
    achieved_share: Annotated[float, Mark("Share reached, in the blend's unit.", minimum=0, maximum=1)]
    epochs: Annotated[float, Mark("Passes over the source.", minimum=0)]
    dropped: Annotated[int, Mark("Rows left out for their length.", minimum=0)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendStatus:
    digest: Annotated[str, Mark("Digest of the ordered blend.", max_length=128)]
    tokens: Annotated[int, Mark("Tokens to train on.", minimum=0)]
    sources: Annotated[tuple[BlendedSource, ...], Mark("What was achieved.", max_items=MAX_SOURCES)]


MAX_EPOCH_LOSSES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochLoss:
    epoch: Annotated[int, Mark("Number of the epoch, from 1; the last may be a part of one.", minimum=1)]
    loss: Annotated[float, Mark("Validation loss, nats per supervised token.", minimum=0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceLoss:
    name: Annotated[str, Mark("Name of the source.", max_length=63)]
    before: Annotated[
        float | None, Mark("Validation loss before the first step, nats per supervised token.")
    ] = None
    after: Annotated[float | None, Mark("Validation loss at the end.", minimum=0)] = None
    epochs: Annotated[
        tuple[EpochLoss, ...], Mark("At the end of each of the last epochs.", max_items=MAX_EPOCH_LOSSES)
    ] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochModel:
    """The model after `epoch` passes over the in-domain data, in `Workspace.epoch`."""

    epoch: Annotated[int, Mark("Number of the epoch, from 1.", minimum=1)]
    step: Annotated[int, Mark("Optimizer steps taken by then.", minimum=1)]
    digest: Annotated[str, Mark("Digest of its weights.", max_length=128)]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingStatus:
    steps: Annotated[int, Mark("Optimizer steps taken.", minimum=0)]
    tokens: Annotated[int, Mark("Tokens trained on.", minimum=0)]
    final_loss: Annotated[
        float | None, Mark("Loss of the last step, nats per supervised token.", minimum=0)
    ] = None
    validation_loss: Annotated[tuple[SourceLoss, ...], Mark("By source.", max_items=MAX_SOURCES)] = ()
    restarts: Annotated[int, Mark("Attempts after the first.", minimum=0)] = 0
    gpu_seconds: Annotated[float | None, Mark("GPUs held times seconds.", minimum=0)] = None
    tokens_per_second_per_gpu: Annotated[float | None, Mark("Throughput of one rank.", minimum=0)] = None
    mfu: Annotated[float | None, Mark("Model FLOP/s utilisation.", minimum=0)] = None
    epochs: Annotated[
        tuple[EpochModel, ...],
        Mark("The models of earlier epochs, where they are scored.", max_items=MAX_EPOCH_MODELS),
    ] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelStatus:
    uri: Annotated[str, Mark("Where the tuned model lies.", max_length=1024)]
    digest: Annotated[str, Mark("Digest of its weights.", max_length=128)]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScopeScore:
    """The score of one scope: overall, a domain, a dimension or a category. Missing is never zero."""

    name: Annotated[str, Mark("Name of the scope.", max_length=63)]
    score: Annotated[
        float | None, Mark("Score; absent when nothing could be scored.", minimum=0, maximum=1)
    ] = None
    low: Annotated[float | None, Mark("Lower end of the 95% interval.", minimum=0, maximum=1)] = None
    high: Annotated[float | None, Mark("Upper end of the 95% interval.", minimum=0, maximum=1)] = None
    n: Annotated[int, Mark("Questions scored.", minimum=0)] = 0
    unscored: Annotated[int, Mark("Questions that could not be scored.", minimum=0)] = 0
    baseline_score: Annotated[float | None, Mark("Score of the base model.", minimum=0, maximum=1)] = None
    delta: Annotated[float | None, Mark("Score less the base model's.", minimum=-1, maximum=1)] = None
    delta_low: Annotated[float | None, Mark("Lower end of its 95% interval.", minimum=-1, maximum=1)] = None
    delta_high: Annotated[float | None, Mark("Upper end of its 95% interval.", minimum=-1, maximum=1)] = None
    p_value: Annotated[
        float | None,
        Mark(
            "Chance of so large a delta were there none, by sign flips; for the domains, Holm-corrected.",
            minimum=0,
            maximum=1,
        ),
    ] = None
    minimum_detectable_effect: Annotated[
        float | None, Mark("Delta that would be found 4 times in 5.", minimum=0)
    ] = None
    worst: Annotated[
        float | None, Mark("Score, were every unscored question failed; absent without any.", minimum=0)
    ] = None
    best: Annotated[float | None, Mark("Score, were every unscored question passed.", maximum=1)] = None
    delta_worst: Annotated[
        float | None, Mark("Delta, were all that is unscored against the model.", minimum=-1)
    ] = None
    delta_best: Annotated[
        float | None, Mark("Delta, were all that is unscored for the model.", maximum=1)
    ] = None
    critical_errors: Annotated[int, Mark("Questions answered with a critical error.", minimum=0)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochScope:
    """One scope's score after an earlier epoch, and what the model gained in it since."""

    score: Annotated[float, Mark("Score after that epoch.", minimum=0, maximum=1)]
    gain: Annotated[
        float | None, Mark("The model's score less that, on the questions scored in both.", minimum=-1)
    ] = None
    low: Annotated[float | None, Mark("Lower end of the gain's 95% interval.", minimum=-1)] = None
    high: Annotated[float | None, Mark("Upper end of the gain's 95% interval.", minimum=-1)] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochScore:
    epoch: Annotated[int, Mark("Number of the epoch, from 1.", minimum=1)]
    general: Annotated[EpochScope | None, Mark("General questions.")] = None
    in_domain: Annotated[EpochScope | None, Mark("In-domain questions.")] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkScore:
    """What lm-evaluation-harness measured on one benchmark, on the scale of its metric."""

    name: Annotated[str, Mark("Name of the task or group.", max_length=100)]
    metric: Annotated[
        str, Mark("Its first metric, and the filter of the answers if there is one.", max_length=100)
    ]
    score: Annotated[float, Mark("Value of the metric.")]
    standard_error: Annotated[
        float | None, Mark("Standard error of the score; absent where unknown.", minimum=0)
    ] = None
    n: Annotated[int, Mark("Samples scored.", minimum=0)]
    baseline_score: Annotated[float | None, Mark("Score of the base model.")] = None
    baseline_standard_error: Annotated[float | None, Mark("Its standard error.", minimum=0)] = None
    delta: Annotated[float | None, Mark("Score less the base model's.")] = None
    delta_low: Annotated[float | None, Mark("Lower end of its 95% interval.")] = None
    delta_high: Annotated[float | None, Mark("Upper end of its 95% interval.")] = None


_BENCHMARK_SCORES = Mark("Standard benchmarks, in the order of the spec.", max_items=MAX_BENCHMARKS)
_EPOCHS = Mark("Scores after earlier epochs: the continual-training curve.", max_items=MAX_EPOCH_MODELS)


@dataclass(frozen=True, kw_only=True, slots=True)
class GateStatus:
    metric: Annotated[Metric, Mark("What is measured.")]
    rule: Annotated[
        str, Mark("The threshold's field: minScore, minGain, maxDrop or maxCriticalErrors.", max_length=63)
    ]
    threshold: Annotated[float, Mark("The threshold.", minimum=0)]
    result: Annotated[GateResult, Mark("Passed, Failed or Inconclusive.")]
    value: Annotated[float | None, Mark("What was measured.", minimum=-1)] = None
    low: Annotated[float | None, Mark("Lower end of its 95% interval.", minimum=-1)] = None
    high: Annotated[float | None, Mark("Upper end of its 95% interval.", minimum=-1)] = None
    message: Annotated[str, Mark("Why, with the numbers.", max_length=512)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationDigests:
    model: Annotated[str, Mark("Weights of the model.", max_length=128)] = ""
    baseline: Annotated[str, Mark("Weights of the baseline.", max_length=128)] = ""
    rubric: Annotated[str, Mark("The questions and criteria.", max_length=128)] = ""
    judge: Annotated[str, Mark("Kind and version of the judge.", max_length=128)] = ""
    template: Annotated[str, Mark("Chat template.", max_length=128)] = ""
    decoding: Annotated[str, Mark("Stop tokens, limits, sampling, precision and engine.", max_length=128)] = (
        ""
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationSummary:
    """What a BlendedFineTune shows of its RubricEval."""

    name: Annotated[str, Mark("Name of the RubricEval.", max_length=253)]
    overall: Annotated[ScopeScore | None, Mark("All questions.")] = None
    general: Annotated[ScopeScore | None, Mark("General questions.")] = None
    in_domain: Annotated[ScopeScore | None, Mark("In-domain questions.")] = None
    dimensions: Annotated[
        tuple[ScopeScore, ...], Mark("reliability, consistency, businessImpact.", max_items=3)
    ] = ()
    gates: Annotated[tuple[GateStatus, ...], Mark("Each gate's outcome.", max_items=16)] = ()
    coverage: Annotated[
        float | None,
        Mark("Share of the questions that were scored; of two models, the lesser.", minimum=0, maximum=1),
    ] = None
    verdict: Annotated[Verdict | None, Mark("Tuned against base.")] = None
    not_compared: Annotated[
        str, Mark("Why the model was not compared with its baseline; empty when it was.", max_length=1024)
    ] = ""
    epochs: Annotated[tuple[EpochScore, ...], _EPOCHS] = ()
    benchmarks: Annotated[tuple[BenchmarkScore, ...], _BENCHMARK_SCORES] = ()
    report_uri: Annotated[str, Mark("Folder of the report.", max_length=1024)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricStatus:
    name: Annotated[str, Mark("Name that the rubric gives itself.", max_length=63)]
    digest: Annotated[str, Mark("Digest of the questions and criteria.", max_length=128)]
    general: Annotated[int, Mark("General questions.", minimum=0)]
    in_domain: Annotated[int, Mark("In-domain questions.", minimum=0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    verdict: Annotated[DiagnosisVerdict, Mark("What the scores say of the blend.")]
    message: Annotated[str, Mark("The evidence, and what to try.", max_length=4096)]


_CONDITIONS = Mark("What holds, by type.", max_items=16, list_map_keys=("type",))
_STATE = Mark("Summary of the conditions, for people. Programs read the conditions.")
_ATTEMPTS = Mark("The latest attempts.", max_items=5)
ATTEMPTS_KEPT = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendedFineTuneStatus:
    observed_generation: Annotated[int | None, Mark("Generation this status speaks of.", minimum=0)] = None
    start_time: Annotated[str | None, Mark("When the run started.", format="date-time")] = None
    completion_time: Annotated[str | None, Mark("When the run ended.", format="date-time")] = None
    state: Annotated[State | None, _STATE] = None
    conditions: Annotated[tuple[Condition, ...], _CONDITIONS] = ()
    attempts: Annotated[tuple[Attempt, ...], _ATTEMPTS] = ()
    retry: Annotated[int, Mark("The spec.retry that was acted upon.", minimum=0)] = 0
    failures: Annotated[
        int, Mark("Failed attempts of the present stage that count against backoffLimit.", minimum=0)
    ] = 0
    training_seconds: Annotated[
        float, Mark("Training time of the attempts that ended, queueing not counted.", minimum=0)
    ] = 0
    trainer_status: Annotated[TrainerStatus | None, Mark("Live progress of the training.")] = None
    rubric: Annotated[RubricStatus | None, Mark("The rubric, as it was checked before the blend.")] = None
    blend: Annotated[BlendStatus | None, Mark("The blend that was achieved.")] = None
    training: Annotated[TrainingStatus | None, Mark("The training in numbers.")] = None
    model: Annotated[ModelStatus | None, Mark("The tuned model.")] = None
    evaluation: Annotated[EvaluationSummary | None, Mark("The scores.")] = None
    diagnosis: Annotated[Diagnosis | None, Mark("What to change next.")] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricEvalStatus:
    observed_generation: Annotated[int | None, Mark("Generation this status speaks of.", minimum=0)] = None
    start_time: Annotated[str | None, Mark("When the evaluation started.", format="date-time")] = None
    completion_time: Annotated[str | None, Mark("When it ended.", format="date-time")] = None
    state: Annotated[State | None, _STATE] = None
    conditions: Annotated[tuple[Condition, ...], _CONDITIONS] = ()
    attempts: Annotated[tuple[Attempt, ...], _ATTEMPTS] = ()
    retry: Annotated[int, Mark("The spec.retry that was acted upon.", minimum=0)] = 0
    failures: Annotated[
        int, Mark("Failed attempts of the present stage that count against backoffLimit.", minimum=0)
    ] = 0
    overall: Annotated[ScopeScore | None, Mark("All questions.")] = None
    general: Annotated[ScopeScore | None, Mark("General questions.")] = None
    in_domain: Annotated[ScopeScore | None, Mark("In-domain questions.")] = None
    dimensions: Annotated[
        tuple[ScopeScore, ...], Mark("reliability, consistency, businessImpact.", max_items=3)
    ] = ()
    categories: Annotated[tuple[ScopeScore, ...], Mark("By category.", max_items=MAX_CATEGORIES)] = ()
    gates: Annotated[tuple[GateStatus, ...], Mark("Each gate's outcome.", max_items=16)] = ()
    coverage: Annotated[
        float | None,
        Mark("Share of the questions that were scored; of two models, the lesser.", minimum=0, maximum=1),
    ] = None
    verdict: Annotated[Verdict | None, Mark("Tuned against base.")] = None
    not_compared: Annotated[
        str, Mark("Why the model was not compared with its baseline; empty when it was.", max_length=1024)
    ] = ""
    epochs: Annotated[tuple[EpochScore, ...], _EPOCHS] = ()
    benchmarks: Annotated[tuple[BenchmarkScore, ...], _BENCHMARK_SCORES] = ()
    digests: Annotated[EvaluationDigests | None, Mark("What was compared.")] = None
    report_uri: Annotated[str, Mark("Folder of the report.", max_length=1024)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectMeta:
    """The part of metav1.ObjectMeta that Blendtune reads."""

    name: Annotated[
        str, Mark("Unique within the namespace.", pattern=DNS_1035_LABEL, max_length=NAME_MAX_LENGTH)
    ]
    namespace: Annotated[str, Mark("Where the object lies.", pattern=DNS_LABEL, max_length=63)] = "default"
    uid: str = ""
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


def _frozen(fields: tuple[str, ...], message: str) -> Rule:
    """Once the run has started, these fields of the spec may neither change nor go away.

    It stands at the root of the object: a rule at the field itself would not run when the field is removed.
    """
    unchanged = (
        f"has(self.spec.{name}) == has(oldSelf.spec.{name})"
        f" && (!has(self.spec.{name}) || self.spec.{name} == oldSelf.spec.{name})"
        for name in fields
    )
    cel = "!has(oldSelf.status) || !has(oldSelf.status.startTime) || (" + " && ".join(unchanged) + ")"
    return Rule(cel=cel, message=message)


_NAME_RULE = Rule(
    cel=f"size(self.metadata.name) <= {NAME_MAX_LENGTH} && self.metadata.name.matches('{DNS_1035_LABEL}')",
    message=f"metadata.name must have at most {NAME_MAX_LENGTH} characters, only of a-z, 0-9 and '-', begin "
    "with a letter and end with a letter or digit: the names of the run's Jobs and pods are made of it",
    check=lambda self: (
        len(self.metadata.name) <= NAME_MAX_LENGTH and bool(re.fullmatch(DNS_1035_LABEL, self.metadata.name))
    ),
)
_RETRY_RULE = Rule(
    cel="self.spec.retry >= oldSelf.spec.retry",
    message="spec.retry may only grow: set it higher than it was to run the failed stage again",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendedFineTune:
    """Fine-tunes a language model on a declared blend and proves what it gained and what it forgot."""

    metadata: ObjectMeta
    spec: Annotated[BlendedFineTuneSpec, Mark("What is wanted.")]
    status: Annotated[BlendedFineTuneStatus, Mark("What is; written by the operator.")] = field(
        default_factory=BlendedFineTuneStatus
    )

    FROZEN_FIELDS: ClassVar[tuple[str, ...]] = (
        "model",
        "blend",
        "training",
        "storage",
        "export",
        "evaluation.rubric",
        "evaluation.baseline",
        "evaluation.everyEpoch",
        "evaluation.judge",
        "evaluation.sampling",
        "evaluation.engine",
        "evaluation.benchmarks",
        "evaluation.cluster",
    )
    RULES: ClassVar[tuple[Rule, ...]] = (
        _NAME_RULE,
        _RETRY_RULE,
        _frozen(
            FROZEN_FIELDS,
            "model, blend, training, storage, export and evaluation (but its gates) are fixed once the run "
            "has started: create a new BlendedFineTune, or delete this one and apply it again",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricEval:
    """Asks a model the questions of a rubric, beside a baseline, and scores the answers."""

    metadata: ObjectMeta
    spec: Annotated[RubricEvalSpec, Mark("What is wanted.")]
    status: Annotated[RubricEvalStatus, Mark("What is; written by the operator.")] = field(
        default_factory=RubricEvalStatus
    )

    FROZEN_FIELDS: ClassVar[tuple[str, ...]] = (
        "model",
        "storage",
        "baseline",
        "epochs",
        "rubric",
        "judge",
        "sampling",
        "engine",
        "benchmarks",
    )
    RULES: ClassVar[tuple[Rule, ...]] = (
        _NAME_RULE,
        _RETRY_RULE,
        _frozen(
            FROZEN_FIELDS,
            "model, storage, baseline, epochs, rubric, judge, sampling, engine and benchmarks are fixed once "
            "the evaluation has started: create a new RubricEval, or delete this one and apply it again",
        ),
    )
