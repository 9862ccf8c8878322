"""The spec of a BlendStudy: the template of its runs, the axes on which they differ, and the objective."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, ClassVar

from blendtune_api.blend_study.limits import MAX_RUNS, MAX_SHARES
from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1 import (
    BENCHMARK_NAME,
    MAX_WEIGHTS,
    NAME_OF_BENCHMARK,
    RISE_OF_RETENTION,
    BlendedFineTuneSpec,
    InterpolationWeight,
    Method,
    Metric,
    Model,
    subject_of,
)


class Hold(StrEnum):
    """What stays the same when the share changes."""

    TOKENS = "tokens"
    IN_DOMAIN_PASSES = "inDomainPasses"


class SearchKind(StrEnum):
    GRID = "grid"
    BISECT = "bisect"


BESIDE_THE_RUBRIC = (Metric.RETENTION, Metric.BENCHMARK)  # they have a change, and no score from 0 to 1

_Share = Annotated[float, Mark("Share of in-domain data, 0..1.", minimum=0, maximum=1)]
_Epochs = Annotated[float, Mark("Number of epochs.", exclusive_minimum=0, maximum=1000)]
_LearningRate = Annotated[float, Mark("Peak learning rate.", exclusive_minimum=0, maximum=1)]
_Method = Annotated[Method, Mark("full or lora.")]
_Seed = Annotated[int, Mark("Seed of blend and training.", minimum=0, maximum=2**31 - 1)]


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyTemplate:
    spec: Annotated[
        BlendedFineTuneSpec,
        Mark(
            "The spec that all runs have in common. The run's name is appended to storage.path (unset: "
            "<namespace>/<name of the study>) and to export.uri."
        ),
    ]

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.spec.evaluation) || !has(self.spec.evaluation.stopWhenDecided) || "
            "!self.spec.evaluation.stopWhenDecided",
            message="a study compares scores, and those of runs that stop when their gates are decided are "
            "too good or too bad by the chance that stopped them: remove evaluation.stopWhenDecided",
            check=lambda self: not self.spec.evaluation.stop_when_decided,
            field_path="spec",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """The axes of the study: each combination of their values is one run; `interpolation` adds points."""

    in_domain_share: Annotated[
        tuple[_Share, ...],
        Mark(
            "Shares of in-domain data. The sources of a role divide its share by their weights; a role whose "
            "share is 0 is left out.",
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
    learning_rate: Annotated[
        tuple[_LearningRate, ...],
        Mark(
            "Peak learning rates: lower ones learn less and forget less. Empty: the template's own.",
            max_items=MAX_SHARES,
        ),
    ] = ()
    interpolation: Annotated[
        tuple[InterpolationWeight, ...],
        Mark(
            "Weights w of the models base + w (tuned - base) of each run: points that need no training. The "
            "tuned model, of weight 1, is always one. Empty: it alone.",
            max_items=MAX_WEIGHTS,
        ),
    ] = ()
    seeds: Annotated[
        tuple[_Seed, ...],
        Mark(
            "Seeds of blend and training. Empty: the template's own seed of training. Two or more tell an "
            "effect from chance.",
            max_items=MAX_SHARES,
        ),
    ] = ()

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="size(self.inDomainShare)"
            + "".join(
                f" * (has(self.{axis}) && size(self.{axis}) > 0 ? size(self.{axis}) : 1)"
                for axis in ("models", "epochs", "method", "learningRate", "seeds")
            )
            + " * (has(self.interpolation) ? size(self.interpolation) + 1 : 1)"
            + f" <= {MAX_RUNS}",
            message=f"a study has at most {MAX_RUNS} runs, with interpolation as many points: the product of "
            "the lengths of its axes",
            check=lambda self: self.combinations * (len(self.interpolation) + 1) <= MAX_RUNS,
        ),
    )

    @property
    def combinations(self) -> int:
        """The number of runs."""
        result = len(self.in_domain_share)
        for axis in (self.models, self.epochs, self.method, self.learning_rate, self.seeds):
            result *= max(1, len(axis))
        return result


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    kind: Annotated[
        SearchKind,
        Mark(
            "grid: the axes as given. bisect: afterwards also shares between them, around the best allowed."
        ),
    ] = SearchKind.GRID
    max_runs: Annotated[int, Mark("Most runs of the study.", minimum=1, maximum=MAX_RUNS)] = MAX_RUNS


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """What the recommended setting may lose at most: the threshold of one metric."""

    metric: Annotated[Metric, Mark("The metric that is bounded.")]
    name: Annotated[
        str | None,
        Mark(
            "The benchmark of metric benchmark: one of the template's.",
            pattern=BENCHMARK_NAME,
            max_length=100,
        ),
    ] = None
    max_drop: Annotated[
        float | None, Mark("Largest drop against the run's base model allowed.", minimum=0, maximum=1)
    ] = None
    max_rise: Annotated[
        float | None,
        Mark(
            "Of retention, the largest rise of the loss on general text allowed, in nats per token.",
            minimum=0,
            maximum=100,
        ),
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.maxRise) != has(self.maxDrop)",
            message="set exactly one of maxDrop and maxRise",
            check=lambda self: (self.max_rise is None) != (self.max_drop is None),
        ),
        RISE_OF_RETENTION,
        NAME_OF_BENCHMARK,
    )

    @property
    def most(self) -> float:
        """The threshold: how much may be lost."""
        return (self.max_drop if self.max_rise is None else self.max_rise) or 0.0

    @property
    def subject(self) -> str:
        return subject_of(self.metric, self.name)

    @property
    def is_score(self) -> bool:
        """Whether the metric has a score from 0 to 1, and not only a change."""
        return self.metric not in BESIDE_THE_RUBRIC


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    maximize: Annotated[Metric, Mark("The metric to maximize: a score of the rubric.")]
    subject_to: Annotated[Bound, Mark("The bound that the recommended setting must keep.")]

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.maximize != self.subjectTo.metric",
            message="maximize and subjectTo.metric must differ",
            check=lambda self: self.maximize is not self.subject_to.metric,
            field_path="maximize",
        ),
        Rule(
            cel="self.maximize != 'retention' && self.maximize != 'benchmark'",
            message="name a score of the rubric: retention and benchmarks can be bounded, in subjectTo",
            check=lambda self: self.maximize not in BESIDE_THE_RUBRIC,
            field_path="maximize",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopping:
    failed_runs: Annotated[
        int | None,
        Mark(
            "Number of failed runs after which no other starts. Unset: any number.",
            minimum=1,
            maximum=MAX_RUNS,
        ),
    ] = None
    gpu_hours: Annotated[
        float | None,
        Mark(
            "GPU hours of training that all runs together may take. Unset: any number.",
            exclusive_minimum=0,
            maximum=1e9,
        ),
    ] = None


def _default_objective() -> Objective:
    return Objective(maximize=Metric.IN_DOMAIN, subject_to=Bound(metric=Metric.GENERAL, max_drop=0.1))


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendStudySpec:
    template: Annotated[StudyTemplate, Mark("The template of the runs.")]
    axes: Annotated[Axes, Mark("What the runs differ in.")]
    hold: Annotated[
        Hold,
        Mark(
            "tokens: all shares train on the template's budget of tokens, which makes them comparable. "
            "inDomainPasses: all make the same number of passes over the in-domain data."
        ),
    ] = Hold.TOKENS
    parallelism: Annotated[int, Mark("Most runs at the same time.", minimum=1, maximum=MAX_RUNS)] = 1
    search: Annotated[Search, Mark("Which combinations are run.")] = field(default_factory=Search)
    objective: Annotated[Objective, Mark("What the recommended setting must achieve.")] = field(
        default_factory=_default_objective
    )
    stopping: Annotated[Stopping, Mark("When to stop before the end.")] = field(default_factory=Stopping)
    suspend: Annotated[bool, Mark("Suspend every run and start none, until it is false again.")] = False
