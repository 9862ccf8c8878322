"""The status of a BlendStudy: its runs, their scores, and the recommendation. Written by the operator."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from blendtune_api.blend_study.limits import MAX_RUNS, RECOMMENDATION_LENGTH
from blendtune_api.marks import Mark
from blendtune_api.v1alpha1 import (
    MAX_WEIGHTS,
    MODEL_URI,
    NAME_MAX_LENGTH,
    Candidate,
    Condition,
    Method,
    Metric,
    Verdict,
)


class StudyState(StrEnum):
    """The summary of the conditions, for the printer column."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SUSPENDED = "Suspended"


class StudyRunState(StrEnum):
    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class RecommendationVerdict(StrEnum):
    RECOMMENDED = "Recommended"
    CANNOT_TELL = "CannotTell"
    NONE_ALLOWED = "NoneAllowed"


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyScore:
    """A metric of one run with its 95% interval, and the delta to the base model.

    Of retention and of a benchmark only the delta is there. In all of them more is better: the delta of
    retention is minus the rise of the loss, in nats per token.
    """

    name: Annotated[Metric, Mark("Name of the metric.")]
    score: Annotated[float | None, Mark("Score.", minimum=0, maximum=1)] = None
    low: Annotated[float | None, Mark("Lower end of the interval.", minimum=0, maximum=1)] = None
    high: Annotated[float | None, Mark("Upper end of the interval.", minimum=0, maximum=1)] = None
    delta: Annotated[
        float | None, Mark("Score less the base model's; of retention, minus the rise of the loss.")
    ] = None
    delta_low: Annotated[float | None, Mark("Lower end of its interval.")] = None
    delta_high: Annotated[float | None, Mark("Upper end of its interval.")] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRun:
    """One run of the study. It stays here when its BlendedFineTune is removed."""

    name: Annotated[str, Mark("Name of the BlendedFineTune.", max_length=NAME_MAX_LENGTH)]
    in_domain_share: Annotated[float, Mark("Share of in-domain data.", minimum=0, maximum=1)]
    model: Annotated[str, Mark("URI of the base model.", pattern=MODEL_URI, max_length=1024)]
    revision: Annotated[str, Mark("Its revision.", max_length=255)] = "main"
    epochs: Annotated[float, Mark("Epochs, as the axis counts them.", minimum=0)]
    method: Annotated[Method, Mark("full or lora.")]
    learning_rate: Annotated[
        float | None, Mark("Peak learning rate; absent if it is the template's.", exclusive_minimum=0)
    ] = None
    seed: Annotated[int, Mark("Seed of blend and training.", minimum=0)]
    state: Annotated[StudyRunState, Mark("Pending, Running, Succeeded or Failed.")] = StudyRunState.PENDING
    uid: Annotated[
        str, Mark("UID of its BlendedFineTune: no other of its name is listened to.", max_length=64)
    ] = ""
    scores: Annotated[
        tuple[StudyScore, ...], Mark("Its scores.", max_items=len(Metric), list_map_keys=("name",))
    ] = ()
    candidates: Annotated[
        tuple[Candidate, ...],
        Mark(
            "Under axes.interpolation: the models between base and tuned one, the tuned one last.",
            max_items=MAX_WEIGHTS + 1,
        ),
    ] = ()
    gpu_hours: Annotated[float | None, Mark("GPUs held times hours of training.", minimum=0)] = None
    removed_gpu_hours: Annotated[
        float, Mark("Of them, spent by removed BlendedFineTunes of this name.", minimum=0)
    ] = 0
    verdict: Annotated[Verdict | None, Mark("Tuned against base.")] = None
    message: Annotated[str, Mark("Why it failed, or has no comparable scores.", max_length=1024)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudySetting:
    """A setting: a combination of the axes without the seed, and the means over its runs."""

    in_domain_share: Annotated[float, Mark("Share of in-domain data.", minimum=0, maximum=1)]
    model: Annotated[str, Mark("URI of the base model.", max_length=1024)]
    epochs: Annotated[float, Mark("Epochs, as the axis counts them.", minimum=0)]
    method: Annotated[Method, Mark("full or lora.")]
    learning_rate: Annotated[
        float | None, Mark("Peak learning rate; absent if it is the template's.", exclusive_minimum=0)
    ] = None
    weight: Annotated[
        float | None,
        Mark("Of the models between base and tuned one; absent for the tuned one.", minimum=0, maximum=1),
    ] = None
    runs: Annotated[int, Mark("Runs, one for each seed.", minimum=0)] = 0
    objective: Annotated[float, Mark("Mean of the metric to maximize.", minimum=0, maximum=1)]
    constrained: Annotated[
        float, Mark("Mean of the bounded metric; of retention and a benchmark, of its delta.")
    ]
    change: Annotated[float, Mark("Mean of its delta to the base model.")]
    gpu_hours: Annotated[float | None, Mark("Mean of the runs' GPU hours.", minimum=0)] = None
    gain_per_gpu_hour: Annotated[
        float | None, Mark("Gain of the metric to maximize over the base model, per GPU hour.")
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecommendationStatus:
    verdict: Annotated[
        RecommendationVerdict,
        Mark(
            "Recommended; CannotTell: the data cannot tell the settings apart, or no setting surely keeps "
            "the bound; NoneAllowed: every setting surely breaks it."
        ),
    ]
    setting: Annotated[
        StudySetting | None, Mark("The recommended setting; under CannotTell the best guess.")
    ] = None
    objective_low: Annotated[float | None, Mark("Lower end of its 95% interval.")] = None
    objective_high: Annotated[float | None, Mark("Upper end.")] = None
    change_low: Annotated[float | None, Mark("Lower end of the interval of the bounded metric's delta.")] = (
        None
    )
    change_high: Annotated[float | None, Mark("Upper end.")] = None
    tied: Annotated[
        tuple[Annotated[str, Mark("A setting.", max_length=2048)], ...],
        Mark("Settings that may be as good or better.", max_items=MAX_RUNS),
    ] = ()
    message: Annotated[
        str, Mark("The evidence in words, and what to do.", max_length=RECOMMENDATION_LENGTH)
    ] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunCounts:
    total: Annotated[int, Mark("Runs of the study known so far.", minimum=0)] = 0
    running: Annotated[int, Mark("Runs in progress.", minimum=0)] = 0
    succeeded: Annotated[int, Mark("Runs that succeeded.", minimum=0)] = 0
    failed: Annotated[int, Mark("Runs that failed.", minimum=0)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuHours:
    spent: Annotated[float, Mark("Spent so far, by all runs.", minimum=0)] = 0
    expected: Annotated[
        float | None, Mark("Expected in all; absent until a run has shown how long one takes.", minimum=0)
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendStudyStatus:
    observed_generation: Annotated[int | None, Mark("Generation this status speaks of.", minimum=0)] = None
    start_time: Annotated[str | None, Mark("When the first run was created.", format="date-time")] = None
    completion_time: Annotated[str | None, Mark("When the study ended.", format="date-time")] = None
    state: Annotated[
        StudyState | None, Mark("Summary of the conditions, for people. Programs read the conditions.")
    ] = None
    conditions: Annotated[
        tuple[Condition, ...], Mark("The conditions, by type.", max_items=16, list_map_keys=("type",))
    ] = ()
    counts: Annotated[RunCounts | None, Mark("Runs by state.")] = None
    gpu_hours: Annotated[GpuHours | None, Mark("GPU hours of training.")] = None
    runs: Annotated[
        tuple[StudyRun, ...], Mark("Every run.", max_items=2 * MAX_RUNS, list_map_keys=("name",))
    ] = ()
    pareto_front: Annotated[
        tuple[StudySetting, ...],
        Mark("Settings that no other beats in both metrics of the objective.", max_items=MAX_RUNS),
    ] = ()
    recommendation: Annotated[RecommendationStatus | None, Mark("The recommended setting.")] = None
