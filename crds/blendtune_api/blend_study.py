"""The resource BlendStudy: which blend, size and number of epochs to use, asked as a set of runs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar

from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1 import (
    DNS_1035_LABEL,
    MODEL_URI,
    NAME_MAX_LENGTH,
    BlendedFineTuneSpec,
    Condition,
    Method,
    Metric,
    Model,
    ObjectMeta,
    Verdict,
)

BLEND_STUDY = "BlendStudy"
MAX_RUNS = 100
RECOMMENDATION_LENGTH = 8192  # characters
MAX_SHARES = 21
RUN_SUFFIX_LENGTH = 13  # "-<share in percent>-<8 digits of a digest>"
STUDY_NAME_MAX_LENGTH = NAME_MAX_LENGTH - RUN_SUFFIX_LENGTH


class Hold(StrEnum):
    """What stays the same while the share is varied."""

    TOKENS = "tokens"
    IN_DOMAIN_PASSES = "inDomainPasses"


class SearchKind(StrEnum):
    GRID = "grid"
    BISECT = "bisect"


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


_Share = Annotated[float, Mark("Share of in-domain data, 0..1.", minimum=0, maximum=1)]
_Epochs = Annotated[float, Mark("Number of epochs.", exclusive_minimum=0, maximum=1000)]
_Method = Annotated[Method, Mark("full or lora.")]
_Seed = Annotated[int, Mark("Seed of blend and training.", minimum=0, maximum=2**31 - 1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyTemplate:
    spec: Annotated[
        BlendedFineTuneSpec,
        Mark(
            "What all runs have in common. The run's name is appended to storage.path (unset: "
            "<namespace>/<name of the study>) and to export.uri."
        ),
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """What the runs differ in: each combination is one run."""

    in_domain_share: Annotated[
        tuple[_Share, ...],
        Mark(
            "Shares of in-domain data. Sources of one role divide theirs by their weights; a role without a "
            "share is left out.",
            min_items=1,
            max_items=MAX_SHARES,
        ),
    ]
    models: Annotated[
        tuple[Model, ...], Mark("Base models. Empty: the template's own.", max_items=MAX_SHARES)
    ] = ()
    epochs: Annotated[
        tuple[_Epochs, ...],
        Mark(
            "Passes over the in-domain data or, under hold: tokens, multiples of the template's tokens. "
            "Empty: the template's own budget.",
            max_items=MAX_SHARES,
        ),
    ] = ()
    method: Annotated[
        tuple[_Method, ...], Mark("Ways to fine-tune. Empty: the template's own.", max_items=2)
    ] = ()
    seeds: Annotated[
        tuple[_Seed, ...],
        Mark(
            "Seeds of blend and training. Empty: the template's own seed of training. With two or more, "
            "chance can be told from effect.",
            max_items=MAX_SHARES,
        ),
    ] = ()

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="size(self.inDomainShare)"
            + "".join(
                f" * (has(self.{axis}) && size(self.{axis}) > 0 ? size(self.{axis}) : 1)"
                for axis in ("models", "epochs", "method", "seeds")
            )
            + f" <= {MAX_RUNS}",
            message=f"a study has at most {MAX_RUNS} runs: the product of the lengths of its axes",
            check=lambda self: self.combinations <= MAX_RUNS,
        ),
    )

    @property
    def combinations(self) -> int:
        result = len(self.in_domain_share)
        for axis in (self.models, self.epochs, self.method, self.seeds):
            result *= max(1, len(axis))
        return result


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    kind: Annotated[
        SearchKind,
        Mark("grid: the axes as they are. bisect: then also shares between them, around the best allowed."),
    ] = SearchKind.GRID
    max_runs: Annotated[int, Mark("Most runs of the study.", minimum=1, maximum=MAX_RUNS)] = MAX_RUNS


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    metric: Annotated[Metric, Mark("What may not drop further.")]
    max_drop: Annotated[float, Mark("Most loss against the run's base model.", minimum=0, maximum=1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    maximize: Annotated[Metric, Mark("What shall be large.")]
    subject_to: Annotated[Bound, Mark("What the recommended setting must keep.")]

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.maximize != self.subjectTo.metric",
            message="maximize and subjectTo.metric must differ",
            check=lambda self: self.maximize is not self.subject_to.metric,
            field_path="maximize",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopping:
    failed_runs: Annotated[
        int | None,
        Mark(
            "Failed runs after which no other starts. Unset: none is too many.", minimum=1, maximum=MAX_RUNS
        ),
    ] = None
    gpu_hours: Annotated[
        float | None,
        Mark(
            "Hours of training times GPUs that all runs together may take. Unset: any number.",
            exclusive_minimum=0,
            maximum=1e9,
        ),
    ] = None


def _default_objective() -> Objective:
    return Objective(maximize=Metric.IN_DOMAIN, subject_to=Bound(metric=Metric.GENERAL, max_drop=0.1))


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendStudySpec:
    template: Annotated[StudyTemplate, Mark("The run that is varied.")]
    axes: Annotated[Axes, Mark("What is varied.")]
    hold: Annotated[
        Hold,
        Mark(
            "tokens: all shares train on the template's budget of tokens, so that they compare. "
            "inDomainPasses: on equally many passes over the in-domain data."
        ),
    ] = Hold.TOKENS
    parallelism: Annotated[int, Mark("Most runs at the same time.", minimum=1, maximum=MAX_RUNS)] = 1
    search: Annotated[Search, Mark("Which combinations are run.")] = field(default_factory=Search)
    objective: Annotated[Objective, Mark("What the recommendation looks for.")] = field(
        default_factory=_default_objective
    )
    stopping: Annotated[Stopping, Mark("When to stop before the end.")] = field(default_factory=Stopping)
    suspend: Annotated[bool, Mark("Suspend every run, and start none, until false again.")] = False


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyScore:
    """A metric of one run, with its 95% interval over the questions, and its change against the base."""

    name: Annotated[Metric, Mark("Name of the metric.")]
    score: Annotated[float, Mark("Score.", minimum=0, maximum=1)]
    low: Annotated[float, Mark("Lower end of the interval.", minimum=0, maximum=1)]
    high: Annotated[float, Mark("Upper end of the interval.", minimum=0, maximum=1)]
    delta: Annotated[float | None, Mark("Score less the base model's.", minimum=-1, maximum=1)] = None
    delta_low: Annotated[float | None, Mark("Lower end of its interval.", minimum=-1, maximum=1)] = None
    delta_high: Annotated[float | None, Mark("Upper end of its interval.", minimum=-1, maximum=1)] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRun:
    """One run. What it has shown stays here when its BlendedFineTune is removed."""

    name: Annotated[str, Mark("Name of the BlendedFineTune.", max_length=NAME_MAX_LENGTH)]
    in_domain_share: Annotated[float, Mark("Share of in-domain data.", minimum=0, maximum=1)]
    model: Annotated[str, Mark("URI of the base model.", pattern=MODEL_URI, max_length=1024)]
    revision: Annotated[str, Mark("Its revision.", max_length=255)] = "main"
    epochs: Annotated[float, Mark("Epochs, as the axis counts them.", minimum=0)]
    method: Annotated[Method, Mark("full or lora.")]
    seed: Annotated[int, Mark("Seed of blend and training.", minimum=0)]
    state: Annotated[StudyRunState, Mark("Pending, Running, Succeeded or Failed.")] = StudyRunState.PENDING
    scores: Annotated[
        tuple[StudyScore, ...], Mark("Its scores.", max_items=len(Metric), list_map_keys=("name",))
    ] = ()
    gpu_hours: Annotated[float | None, Mark("GPUs held times hours of training.", minimum=0)] = None
    removed_gpu_hours: Annotated[
        float, Mark("Of them, those of BlendedFineTunes of this name that were removed.", minimum=0)
    ] = 0
    verdict: Annotated[Verdict | None, Mark("Tuned against base.")] = None
    message: Annotated[str, Mark("Why it failed, or has no scores that compare.", max_length=1024)] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudySetting:
    """A combination of the axes without the seed, and the means over its seeds."""

    in_domain_share: Annotated[float, Mark("Share of in-domain data.", minimum=0, maximum=1)]
    model: Annotated[str, Mark("URI of the base model.", max_length=1024)]
    epochs: Annotated[float, Mark("Epochs, as the axis counts them.", minimum=0)]
    method: Annotated[Method, Mark("full or lora.")]
    runs: Annotated[int, Mark("Runs, one for each seed.", minimum=0)] = 0
    objective: Annotated[float, Mark("Mean of the metric to maximize.", minimum=0, maximum=1)]
    constrained: Annotated[float, Mark("Mean of the metric that may not drop.", minimum=0, maximum=1)]
    change: Annotated[float, Mark("Mean of its change against the base.", minimum=-1, maximum=1)]
    gpu_hours: Annotated[float | None, Mark("Mean of the runs' GPU hours.", minimum=0)] = None
    gain_per_gpu_hour: Annotated[
        float | None, Mark("Gain of the metric to maximize over the base, by GPU hour.")
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RecommendationStatus:
    verdict: Annotated[
        RecommendationVerdict,
        Mark(
            "Recommended; CannotTell: the data does not tell the settings apart, or none surely keeps the "
            "bound; NoneAllowed: all surely break it."
        ),
    ]
    setting: Annotated[
        StudySetting | None, Mark("The recommended setting; under CannotTell the best guess.")
    ] = None
    objective_low: Annotated[float | None, Mark("Lower end of its 95% interval.")] = None
    objective_high: Annotated[float | None, Mark("Upper end.")] = None
    change_low: Annotated[float | None, Mark("Lower end of that of the constrained metric's change.")] = None
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
    total: Annotated[int, Mark("Runs of the study as it is known by now.", minimum=0)] = 0
    running: Annotated[int, Mark("Runs that are under way.", minimum=0)] = 0
    succeeded: Annotated[int, Mark("Runs that ended well.", minimum=0)] = 0
    failed: Annotated[int, Mark("Runs that failed.", minimum=0)] = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuHours:
    spent: Annotated[float, Mark("Spent so far, by all runs.", minimum=0)] = 0
    expected: Annotated[
        float | None, Mark("Expected by the end; absent until a run has shown how long one takes.", minimum=0)
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
        tuple[Condition, ...], Mark("What holds, by type.", max_items=16, list_map_keys=("type",))
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
    recommendation: Annotated[RecommendationStatus | None, Mark("What to use.")] = None


_NAME_RULE = Rule(
    cel=f"size(self.metadata.name) <= {STUDY_NAME_MAX_LENGTH}"
    f" && self.metadata.name.matches('{DNS_1035_LABEL}')",
    message=f"metadata.name must have at most {STUDY_NAME_MAX_LENGTH} characters, only of a-z, 0-9 and '-', "
    "begin with a letter and end with a letter or digit: the names of the runs are made of it",
    check=lambda self: (
        len(self.metadata.name) <= STUDY_NAME_MAX_LENGTH
        and bool(re.fullmatch(DNS_1035_LABEL, self.metadata.name))
    ),
)
_STARTED = "!has(oldSelf.status) || !has(oldSelf.status.startTime) || "
_FROZEN_RULE = Rule(
    cel=f"{_STARTED}(self.spec.template == oldSelf.spec.template && self.spec.hold == oldSelf.spec.hold)",
    message="template and hold are fixed once the study has started: create a new BlendStudy, or delete this "
    "one and apply it again",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendStudy:
    """Runs a BlendedFineTune in several blends, sizes and lengths, and recommends one of them."""

    metadata: ObjectMeta
    spec: Annotated[BlendStudySpec, Mark("What is wanted.")]
    status: Annotated[BlendStudyStatus, Mark("What is; written by the operator.")] = field(
        default_factory=BlendStudyStatus
    )

    RULES: ClassVar[tuple[Rule, ...]] = (_NAME_RULE, _FROZEN_RULE)
