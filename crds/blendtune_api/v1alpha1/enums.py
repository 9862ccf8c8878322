"""Every enumerated value of spec and status."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """The domain of a source or question: what the model is to learn, or what it must not forget."""

    IN_DOMAIN = "inDomain"
    GENERAL = "general"


class ChatTemplate(StrEnum):
    """The chat templates that can be named. Their texts are in `blendtune_runtime.chat.templates`."""

    VICUNA = "vicuna"
    LLAMA_2 = "llama-2"
    CHATML = "chatml"
    LLAMA_3 = "llama-3"


class Thinking(StrEnum):
    """Whether answers begin with thoughts. `auto` is on if the rows hold some, else off."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Unit(StrEnum):
    """What the weights of a blend count."""

    TOKENS = "tokens"
    SUPERVISED_TOKENS = "supervisedTokens"
    EXAMPLES = "examples"


class OverLength(StrEnum):
    """What happens to a conversation that is longer than the sequence length. It is never truncated."""

    DROP = "drop"
    ERROR = "error"


class BadRowPolicy(StrEnum):
    """What happens to a row that cannot be learnt from."""

    ERROR = "error"
    DROP = "drop"


class BadRowReason(StrEnum):
    """Why a row cannot be learnt from."""

    INVALID_JSON = "InvalidJson"
    INVALID_CSV = "InvalidCsv"
    INVALID_TEXT = "InvalidText"  # not valid Unicode
    UNKNOWN_FORMAT = "UnknownFormat"  # the columns are of no known format
    AMBIGUOUS_FORMAT = "AmbiguousFormat"  # columns of two formats, or two values of one kind
    WRONG_TYPE = "WrongType"  # a number where text is needed, a picture
    UNKNOWN_ROLE = "UnknownRole"
    WRONG_ORDER = "WrongOrder"  # of turns
    EMPTY_CONTENT = "EmptyContent"
    NO_ANSWER = "NoAnswer"  # no turn of the assistant to learn
    INVALID_TOOLS = "InvalidTools"
    TEMPLATE_REFUSED = "TemplateRefused"  # the chat template or the tokenizer


class Method(StrEnum):
    FULL = "full"
    LORA = "lora"


class LoraExport(StrEnum):
    """Which result of a LoRA training is copied to spec.export.uri. The workspace always keeps both."""

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
    """`auto` is, on CUDA in 16 bits, torch's kernel for rows of examples, or FlashAttention 2 if that is
    installed and the kernel does not serve the model; else scaled dot product attention.
    """

    AUTO = "auto"
    VARLEN = "varlen"
    FLASH_ATTENTION_2 = "flash_attention_2"
    SDPA = "sdpa"
    EAGER = "eager"


class Kernels(StrEnum):
    """What computes norms, rotary embeddings and feed-forward networks: one kernel of Liger for each, or the
    model's own operations. `auto` is liger on CUDA in 16 bits, where it knows the model and is installed.
    """

    AUTO = "auto"
    LIGER = "liger"
    NONE = "none"


class ActivationCheckpointing(StrEnum):
    AUTO = "auto"
    ENABLED = "enabled"
    DISABLED = "disabled"


class AfterSuccess(StrEnum):
    """What happens to the training checkpoints once the model is exported."""

    DELETE = "Delete"
    KEEP = "Keep"


class StoppingMetric(StrEnum):
    """What can end a training early: the loss on held-out rows, or the divergence on general ones."""

    LOSS = "loss"
    KL = "kl"


class Tracker(StrEnum):
    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


class Gang(StrEnum):
    """What makes the pods of a training attempt. `Auto` is the first of the others that is served."""

    AUTO = "Auto"
    PYTORCH_JOB = "PyTorchJob"  # Kubeflow's training operator 1.9
    TRAIN_JOB = "TrainJob"  # Kubeflow Trainer 2, with a TrainingRuntime for each attempt
    JOB_SET = "JobSet"  # a JobSet of one Indexed Job
    JOB = "Job"  # an Indexed Job and a headless Service: nothing to install


class JudgeKind(StrEnum):
    RULES = "Rules"
    OPENAI = "OpenAI"
    CASCADE = "Cascade"


class Engine(StrEnum):
    """What runs the models that are asked."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"


class Metric(StrEnum):
    """What a gate may measure: a scope of the rubric, retention, or a benchmark by its name.

    Categories are not among them: they have too few questions.
    """

    OVERALL = "overall"
    GENERAL = "general"
    IN_DOMAIN = "inDomain"
    RELIABILITY = "reliability"
    CONSISTENCY = "consistency"
    BUSINESS_IMPACT = "businessImpact"
    RETENTION = "retention"
    BENCHMARK = "benchmark"


class RejectedBecause(StrEnum):
    """Why a row that the base model has written is not learnt from."""

    EMPTY = "Empty"  # no question, or no answer
    UNFINISHED = "Unfinished"  # cut at maxNewTokens
    TOO_LONG = "TooLong"  # over the sequence length
    UNRENDERABLE = "Unrenderable"  # it holds a control token, or the chat template refuses it
    DUPLICATE = "Duplicate"  # its question was asked before
    NEAR_DUPLICATE = "NearDuplicate"  # most of its question was
    IN_DOMAIN = "InDomain"  # another source asks the same
    NEAR_RUBRIC = "NearRubric"  # it asks what the rubric asks, or shares a phrase with it


class State(StrEnum):
    """The summary of the conditions, for the printer column."""

    PENDING = "Pending"
    QUEUED = "Queued"
    REHEARSING = "Rehearsing"
    BLENDING = "Blending"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class Stage(StrEnum):
    REHEARSE = "rehearse"
    BLEND = "blend"
    TRAIN = "train"
    EVAL = "eval"


class ConditionType(StrEnum):
    ACCEPTED = "Accepted"
    DATA_REHEARSED = "DataRehearsed"
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
    GANG_NOT_SERVED = "GangNotServed"
    NAME_CONFLICT = "NameConflict"
    CHILD_REFUSED = "ChildRefused"
    CHILD_IGNORED = "ChildIgnored"
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


class RetentionText(StrEnum):
    """Text on which base and tuned model are compared word by word."""

    HELD_OUT_ROWS = "heldOutRows"  # answers of general rows that were held out of the training
    BASE_ANSWERS = "baseAnswers"  # the base model's own answers to the rubric's general questions


class GateResult(StrEnum):
    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"


class Verdict(StrEnum):
    """The tuned model compared with the base model, over the general and the in-domain questions."""

    IMPROVED = "Improved"
    REGRESSED = "Regressed"
    MIXED = "Mixed"
    INCONCLUSIVE = "Inconclusive"


class DiagnosisVerdict(StrEnum):
    """What the scores and the losses say of a run."""

    BALANCED = "Balanced"  # learned, and shown to be kept
    IMBALANCED_BLEND = "ImbalancedBlend"  # kept, and not learned enough: more in-domain data may help
    NOT_LEARNED = "NotLearned"  # not learned, and the blend is not the reason
    FORGETTING = "Forgetting"  # what was known was lost
    OVERTRAINED = "Overtrained"  # more epochs did harm
    HARMED = "Harmed"  # the domain itself got worse: no blend mends that
    INCONCLUSIVE = "Inconclusive"
