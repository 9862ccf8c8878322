"""How a model is evaluated: rubric, baseline, judge, sampling, benchmarks and gates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1.enums import ChatTemplate, Engine, Metric, Thinking
from blendtune_api.v1alpha1.gate import Gate
from blendtune_api.v1alpha1.interpolation import Interpolation, TakenExport
from blendtune_api.v1alpha1.judge import Judge
from blendtune_api.v1alpha1.limits import (
    BENCHMARK_NAME,
    DNS_LABEL,
    MAX_BENCHMARKS,
    MAX_EPOCH_MODELS,
    MODEL_URI,
)
from blendtune_api.v1alpha1.pods import Credentials, KeySelector, StagePod, Storage


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricReference:
    builtin: Annotated[
        str | None, Mark("A rubric that ships with Blendtune.", pattern=DNS_LABEL, max_length=63)
    ] = None
    config_map_ref: Annotated[KeySelector | None, Mark("A rubric of your own.")] = None
    general_from: Annotated[
        str | None,
        Mark(
            "A built-in rubric whose general questions are asked too, before those of the rubric: general300 "
            "has 300 of them.",
            pattern=DNS_LABEL,
            max_length=63,
        ),
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.builtin) != has(self.configMapRef)",
            message="set exactly one of builtin and configMapRef",
            check=lambda self: (self.builtin is None) != (self.config_map_ref is None),
        ),
        Rule(
            cel="!has(self.builtin) || !has(self.generalFrom) || self.builtin != self.generalFrom",
            message="generalFrom must be another rubric than builtin, whose questions are all asked",
            check=lambda self: self.builtin is None or self.builtin != self.general_from,
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationBaseline:
    enabled: Annotated[bool, Mark("Ask the base model the same questions.")] = True
    system_prompt: Annotated[
        str, Mark("System prompt given to the base model: what prompting alone would do.", max_length=16_384)
    ] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    max_new_tokens: Annotated[int, Mark("Longest answer, in tokens.", minimum=1, maximum=32_768)] = 256
    temperature: Annotated[float, Mark("0 is greedy.", minimum=0, maximum=2)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How well the tuned model still predicts general text, token by token."""

    rows: Annotated[
        int,
        Mark(
            "Most held-out general rows, and most answers of the base model, that both models read. 0: none.",
            minimum=0,
            maximum=1_024,
        ),
    ] = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationCluster:
    gpus: Annotated[int, Mark("GPUs of the evaluation pod.", minimum=0, maximum=16)] = 1
    gpu_type: Annotated[str, Mark("Preset of node selector and toleration.", min_length=1, max_length=63)] = (
        "a100-80gb"
    )


def _unknown_benchmarks(evaluation: Evaluation | RubricEvalSpec) -> list[str]:
    """The names in gates that are none of the evaluation's benchmarks."""
    names = (gate.name for gate in evaluation.gates if gate.name is not None)
    return [name for name in names if name not in evaluation.benchmarks]


def _told_unknown_benchmarks(evaluation: Evaluation | RubricEvalSpec) -> str:
    present = ", ".join(dict.fromkeys(evaluation.benchmarks)) or "none"
    missing = ", ".join(_unknown_benchmarks(evaluation))
    return f"no benchmark {missing} is run: benchmarks names {present}"


_GATED_BENCHMARKS = Rule(
    cel="!has(self.gates) || self.gates.all(gate, !has(gate.name) || "
    "(has(self.benchmarks) && gate.name in self.benchmarks))",
    message="a gate names a benchmark that is not run: add it to benchmarks",
    message_cel="'a gate names a benchmark that is not run: benchmarks names ' + "
    "(has(self.benchmarks) && size(self.benchmarks) > 0 ? self.benchmarks.join(', ') : 'none')",
    check=lambda self: not _unknown_benchmarks(self),
    explain=_told_unknown_benchmarks,
    field_path="gates",
)

_STOPS_EARLY = (
    Rule(
        cel="!has(self.stopWhenDecided) || !self.stopWhenDecided || (has(self.gates) && "
        "self.gates.exists(gate, gate.metric != 'retention' && gate.metric != 'benchmark'))",
        message="without a gate on a score of the rubric there is nothing that the answers could decide: add "
        "one to gates, or leave stopWhenDecided out",
        check=lambda self: not self.stop_when_decided or any(gate.is_on_answers for gate in self.gates),
        field_path="stopWhenDecided",
    ),
    Rule(
        cel="!has(self.stopWhenDecided) || !self.stopWhenDecided || !has(self.gates) || "
        "!self.gates.exists(gate, has(gate.maxCriticalErrors))",
        message="a gate maxCriticalErrors counts over all questions, so all must be asked: remove it, or "
        "leave stopWhenDecided out",
        check=lambda self: (
            not self.stop_when_decided or all(gate.max_critical_errors is None for gate in self.gates)
        ),
        field_path="stopWhenDecided",
    ),
    Rule(
        cel="!has(self.stopWhenDecided) || !self.stopWhenDecided || !has(self.interpolation)",
        message="interpolation compares several models by the same questions, so all must be asked: leave "
        "one of interpolation and stopWhenDecided out",
        check=lambda self: not self.stop_when_decided or self.interpolation is None,
        field_path="stopWhenDecided",
    ),
)

_STOP_WHEN_DECIDED = Mark(
    "Ask the tuned model in five parts, in a seeded order, and stop after the first that decides every gate "
    "on a score. Intervals and p-values pay for the looks."
)
_GATED_INTERPOLATION = Rule(
    cel="!has(self.interpolation) || (has(self.gates) && self.gates.exists(gate, "
    "gate.metric in ['general', 'retention', 'benchmark']))",
    message="interpolation takes the best model within the gates: add one on what was known (general, "
    "retention or a benchmark), else the tuned model is always taken",
    check=lambda self: (
        self.interpolation is None
        or any(gate.metric in (Metric.GENERAL, Metric.RETENTION, Metric.BENCHMARK) for gate in self.gates)
    ),
    field_path="interpolation",
)
_BASE_TO_INTERPOLATE = "interpolation needs a base model to go back to: "

_INTERPOLATION = Mark(
    "Models between the base model and the tuned one are asked too, and the one with the best in-domain "
    "score that passes all gates is taken. Unset: none."
)
_ENGINE = Mark(
    "What runs the evaluated models: transformers, or vllm, a server that the pod starts for each model in "
    "turn; for large models on GPUs. The image needs the program vllm."
)
_GATES = Mark("Thresholds that the scores must meet. GitOps tools see the result.", max_items=16)
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
    every_epoch: Annotated[
        bool, Mark("Score the model after each epoch too: the continual-training curve.")
    ] = False
    judge: Annotated[Judge, Mark("What judges the answers.")] = field(default_factory=Judge)
    sampling: Annotated[Sampling, Mark("How answers are decoded.")] = field(default_factory=Sampling)
    retention: Annotated[Retention, Mark("What is compared token by token.")] = field(
        default_factory=Retention
    )
    engine: Annotated[Engine, _ENGINE] = Engine.TRANSFORMERS
    benchmarks: Annotated[tuple[_BenchmarkName, ...], _BENCHMARKS] = ()
    interpolation: Annotated[Interpolation | None, _INTERPOLATION] = None
    cluster: Annotated[EvaluationCluster, Mark("The evaluation pod.")] = field(
        default_factory=EvaluationCluster
    )
    gates: Annotated[tuple[Gate, ...], _GATES] = ()
    stop_when_decided: Annotated[bool, _STOP_WHEN_DECIDED] = False

    RULES: ClassVar[tuple[Rule, ...]] = (
        _GATED_BENCHMARKS,
        _GATED_INTERPOLATION,
        *_STOPS_EARLY,
        Rule(
            cel="!has(self.interpolation) || !has(self.baseline) || !has(self.baseline.enabled) || "
            "self.baseline.enabled",
            message=f"{_BASE_TO_INTERPOLATE}set baseline.enabled",
            check=lambda self: self.interpolation is None or self.baseline.enabled,
            field_path="interpolation",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatedModel:
    """A model to evaluate."""

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
    judge: Annotated[Judge, Mark("What judges the answers.")] = field(default_factory=Judge)
    sampling: Annotated[Sampling, Mark("How answers are decoded.")] = field(default_factory=Sampling)
    retention: Annotated[Retention, Mark("What is compared token by token.")] = field(
        default_factory=Retention
    )
    thinking: Annotated[
        Thinking,
        Mark(
            "Whether the models think before they answer, all of them alike. auto: as the model was trained "
            "by its run, else off where its chat template can turn it off."
        ),
    ] = Thinking.AUTO
    engine: Annotated[Engine, _ENGINE] = Engine.TRANSFORMERS
    benchmarks: Annotated[tuple[_BenchmarkName, ...], _BENCHMARKS] = ()
    interpolation: Annotated[Interpolation | None, _INTERPOLATION] = None
    export: Annotated[
        TakenExport | None, Mark("Where else to copy the model that interpolation takes. Unset: nowhere.")
    ] = None
    gates: Annotated[tuple[Gate, ...], _GATES] = ()
    stop_when_decided: Annotated[bool, _STOP_WHEN_DECIDED] = False
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

    RULES: ClassVar[tuple[Rule, ...]] = (
        _GATED_BENCHMARKS,
        _GATED_INTERPOLATION,
        *_STOPS_EARLY,
        Rule(
            cel="!has(self.interpolation) || (has(self.baseline) && has(self.baseline.model))",
            message=f"{_BASE_TO_INTERPOLATE}name it in baseline.model",
            check=lambda self: self.interpolation is None or self.baseline.model is not None,
            field_path="interpolation",
        ),
        Rule(
            cel="!has(self.export) || has(self.interpolation)",
            message="export copies the model that interpolation takes: set interpolation, or leave it out",
            check=lambda self: self.export is None or self.interpolation is not None,
            field_path="export",
        ),
    )
