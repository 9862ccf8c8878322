"""The status of BlendedFineTune and RubricEval, written by the operator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from blendtune_api.marks import Mark
from blendtune_api.v1alpha1.enums import BadRowReason, ConditionStatus, Gang, Role, Stage, State, Verdict
from blendtune_api.v1alpha1.interpolation import INTERPOLATION_STATUS, InterpolationStatus
from blendtune_api.v1alpha1.limits import (
    ATTEMPTS_KEPT,
    MAX_BAD_ROW_REASONS,
    MAX_CATEGORIES,
    MAX_EPOCH_LOSSES,
    MAX_EPOCH_MODELS,
    MAX_SOURCES,
)
from blendtune_api.v1alpha1.rehearsal import RehearsalStatus
from blendtune_api.v1alpha1.scores import (
    ASKED_QUESTIONS,
    BENCHMARK_SCORES,
    EPOCH_SCORES,
    RETENTION_SCORES,
    UNFINISHED_ANSWERS,
    UNSURE_ANSWERS,
    AskedQuestions,
    BenchmarkScore,
    Diagnosis,
    EpochScore,
    EvaluationDigests,
    EvaluationSummary,
    GateStatus,
    RetentionScore,
    RubricStatus,
    ScopeScore,
    UnfinishedAnswers,
    UnsureAnswers,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """metav1.Condition."""

    type: Annotated[str, Mark("Type of the condition.", max_length=316)]
    status: Annotated[ConditionStatus, Mark("True, False or Unknown.")]
    reason: Annotated[str, Mark("Why, in one word.", min_length=1, max_length=1024)]
    message: Annotated[str, Mark("Why, and what to do.", max_length=32_768)]
    last_transition_time: Annotated[str, Mark("When status last changed.", format="date-time")]
    observed_generation: Annotated[int, Mark("Generation of the spec that it is about.", minimum=0)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    stage: Annotated[Stage, Mark("rehearse, blend, train or eval.")]
    number: Annotated[int, Mark("Number of the attempt, from 1.", minimum=1)]
    start_time: Annotated[str, Mark("When it started.", format="date-time")]
    end_time: Annotated[str | None, Mark("When it ended.", format="date-time")] = None
    cause: Annotated[str, Mark("Why it ended; empty while it runs.", max_length=1024)] = ""
    exit_code: Annotated[int | None, Mark("Exit code of the container at fault.", minimum=0, maximum=255)] = (
        None
    )
    counted: Annotated[bool, Mark("Whether it counts against backoffLimit.")] = False
    uid: Annotated[
        str, Mark("UID of its Job or gang: no other of its name is listened to.", max_length=64)
    ] = ""
    job_uid: Annotated[
        str, Mark("UID of the Job that a JobSet or TrainJob has made: only its pods count.", max_length=64)
    ] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PinnedStatus:
    """The pinned configuration: a ConfigMap with other contents is not the run's."""

    revision: Annotated[int, Mark("Its revision, from 1.", minimum=1)]
    digest: Annotated[str, Mark("sha256 of config.json in its ConfigMap.", max_length=128)]
    gang: Annotated[
        Gang | None, Mark("What makes the pods of the training: spec.cluster.gang, or what Auto has chosen.")
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildStatus:
    """A child that the operator has made: another object of this name is not the run's."""

    name: Annotated[str, Mark("Its name.", max_length=63)]
    uid: Annotated[str, Mark("Its UID.", max_length=64)]


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedValue:
    name: Annotated[str, Mark("Name of the metric.", max_length=63)]
    value: Annotated[str, Mark("Its latest value.", max_length=63)]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainerStatus:
    """Live progress of a training. The field names are those of Kubeflow's TrainJob."""

    progress_percentage: Annotated[int | None, Mark("Progress of the training.", minimum=0, maximum=100)] = (
        None
    )
    estimated_remaining_seconds: Annotated[int | None, Mark("Expected time to the end.", minimum=0)] = None
    metrics: Annotated[tuple[NamedValue, ...], Mark("Latest metrics of rank 0.", max_items=16)] = ()
    last_updated_time: Annotated[str | None, Mark("When the trainer last answered.", format="date-time")] = (
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
    bad_rows: Annotated[
        int | None, Mark("Rows left out because they cannot be learnt from; unset for none.", minimum=1)
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRows:
    reason: Annotated[BadRowReason, Mark("Why they cannot be learnt from.")]
    rows: Annotated[int, Mark("Number of rows, of all sources.", minimum=1)]
    first: Annotated[str, Mark("File and line of the first.", max_length=128)]


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendStatus:
    digest: Annotated[str, Mark("Digest of the ordered blend.", max_length=128)]
    tokens: Annotated[int, Mark("Tokens to train on.", minimum=0)]
    sources: Annotated[tuple[BlendedSource, ...], Mark("What was achieved.", max_items=MAX_SOURCES)]
    bad_rows: Annotated[
        tuple[BadRows, ...],
        Mark(
            "Bad rows that were dropped, by reason, the most frequent first. bad_rows.jsonl in the "
            "workspace lists each.",
            max_items=MAX_BAD_ROW_REASONS,
        ),
    ] = ()


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
class EpochDivergence:
    epoch: Annotated[int, Mark("Number of the epoch, from 1; the last may be a part of one.", minimum=1)]
    value: Annotated[float, Mark("KL(base, tuned), nats per token.", minimum=0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleDivergence:
    """How far the predictions on one role's held-out rows have moved from the base model's."""

    role: Annotated[Role, Mark("inDomain or general.")]
    positions: Annotated[int, Mark("Predicted tokens that were compared.", minimum=0)]
    value: Annotated[float | None, Mark("KL(base, tuned) at the end, nats per token.", minimum=0)] = None
    epochs: Annotated[
        tuple[EpochDivergence, ...],
        Mark("At the end of each of the last epochs.", max_items=MAX_EPOCH_LOSSES),
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
    divergence: Annotated[
        tuple[RoleDivergence, ...], Mark("From the base model, by role.", max_items=len(Role))
    ] = ()
    stopped_early: Annotated[
        str, Mark("Why training ended before its last step; empty if it did not.", max_length=512)
    ] = ""
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
    uri: Annotated[
        str, Mark("Where the tuned model lies; by interpolation, the one that was taken.", max_length=1024)
    ]
    digest: Annotated[str, Mark("Digest of its weights.", max_length=128)]


_CONDITIONS = Mark("The conditions, by type.", max_items=16, list_map_keys=("type",))
_STATE = Mark("Summary of the conditions, for people. Programs read the conditions.")
_ATTEMPTS = Mark("The latest attempts.", max_items=ATTEMPTS_KEPT)
_PINNED = Mark("The pinned configuration of the last attempt.")


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendedFineTuneStatus:
    observed_generation: Annotated[int | None, Mark("Generation this status speaks of.", minimum=0)] = None
    start_time: Annotated[str | None, Mark("When the run started.", format="date-time")] = None
    completion_time: Annotated[str | None, Mark("When the run ended.", format="date-time")] = None
    state: Annotated[State | None, _STATE] = None
    conditions: Annotated[tuple[Condition, ...], _CONDITIONS] = ()
    attempts: Annotated[tuple[Attempt, ...], _ATTEMPTS] = ()
    pinned: Annotated[PinnedStatus | None, _PINNED] = None
    retry: Annotated[int, Mark("The spec.retry that was acted upon.", minimum=0)] = 0
    failures: Annotated[
        int, Mark("Failed attempts of the present stage that count against backoffLimit.", minimum=0)
    ] = 0
    training_seconds: Annotated[
        float, Mark("Training time of the attempts that ended, queueing not counted.", minimum=0)
    ] = 0
    rehearsal_seconds: Annotated[
        float, Mark("Time of the rehearsal's attempts that ended, queueing not counted.", minimum=0)
    ] = 0
    trainer_status: Annotated[TrainerStatus | None, Mark("Live progress of the training.")] = None
    rubric: Annotated[RubricStatus | None, Mark("The rubric, as it was checked before the blend.")] = None
    rehearsal: Annotated[RehearsalStatus | None, Mark("The rehearsal, where a source is self://.")] = None
    blend: Annotated[BlendStatus | None, Mark("The blend that was achieved.")] = None
    training: Annotated[TrainingStatus | None, Mark("The training in numbers.")] = None
    model: Annotated[ModelStatus | None, Mark("The tuned model.")] = None
    rubric_eval: Annotated[ChildStatus | None, Mark("The RubricEval from which the scores come.")] = None
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
    pinned: Annotated[PinnedStatus | None, _PINNED] = None
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
        Mark(
            "Share of the questions that were judged, if not decided by rules; of two models, the lesser.",
            minimum=0,
            maximum=1,
        ),
    ] = None
    verdict: Annotated[Verdict | None, Mark("Tuned against base.")] = None
    not_compared: Annotated[
        str, Mark("Why the model was not compared with its baseline; empty when it was.", max_length=1024)
    ] = ""
    epochs: Annotated[tuple[EpochScore, ...], EPOCH_SCORES] = ()
    benchmarks: Annotated[tuple[BenchmarkScore, ...], BENCHMARK_SCORES] = ()
    retention: Annotated[tuple[RetentionScore, ...], RETENTION_SCORES] = ()
    unsure: Annotated[tuple[UnsureAnswers, ...], UNSURE_ANSWERS] = ()
    unfinished: Annotated[UnfinishedAnswers | None, UNFINISHED_ANSWERS] = None
    asked: Annotated[AskedQuestions | None, ASKED_QUESTIONS] = None
    interpolation: Annotated[InterpolationStatus | None, INTERPOLATION_STATUS] = None
    digests: Annotated[EvaluationDigests | None, Mark("What was compared.")] = None
    report_uri: Annotated[str, Mark("Folder of the report.", max_length=1024)] = ""
