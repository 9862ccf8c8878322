"""A threshold for what an evaluation measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1.enums import Metric
from blendtune_api.v1alpha1.limits import BENCHMARK_NAME

# Of what has a metric, a name and a threshold: a gate, and the bound of a study.
RISE_OF_RETENTION = Rule(
    cel="(self.metric == 'retention') == has(self.maxRise)",
    message="maxRise is the threshold of metric retention, and of no other",
    check=lambda self: (self.metric is Metric.RETENTION) == (self.max_rise is not None),
)
NAME_OF_BENCHMARK = Rule(
    cel="(self.metric == 'benchmark') == has(self.name)",
    message="name is the benchmark of metric benchmark, and of no other metric",
    check=lambda self: (self.metric is Metric.BENCHMARK) == (self.name is not None),
)


def subject_of(metric: Metric, name: str | None) -> str:
    """What a threshold is for, in words: the metric, and the name of a benchmark."""
    return f"{metric} {name}" if name else str(metric)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """A threshold that the tuned model must meet. A gate is a list item, so the schema has no defaults."""

    metric: Annotated[Metric, Mark("What is measured.")]
    name: Annotated[
        str | None,
        Mark("The benchmark of metric benchmark: one of benchmarks.", pattern=BENCHMARK_NAME, max_length=100),
    ] = None
    min_score: Annotated[float | None, Mark("Smallest score allowed.", minimum=0, maximum=1)] = None
    min_gain: Annotated[
        float | None, Mark("Smallest gain over the base model allowed.", minimum=0, maximum=1)
    ] = None
    max_drop: Annotated[
        float | None, Mark("Largest drop against the base model allowed.", minimum=0, maximum=1)
    ] = None
    max_rise: Annotated[
        float | None,
        Mark("Largest rise of the loss on general text allowed, in nats per token.", minimum=0, maximum=100),
    ] = None
    max_critical_errors: Annotated[
        int | None,
        Mark(
            "Largest number of the metric's questions that may be answered with a critical error.",
            minimum=0,
            maximum=100_000,
        ),
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="[has(self.minScore), has(self.minGain), has(self.maxDrop), has(self.maxRise), "
            "has(self.maxCriticalErrors)].filter(set, set).size() == 1",
            message="set exactly one of minScore, minGain, maxDrop, maxRise and maxCriticalErrors",
            check=lambda self: (
                sum(
                    threshold is not None
                    for threshold in (
                        self.min_score,
                        self.min_gain,
                        self.max_drop,
                        self.max_rise,
                        self.max_critical_errors,
                    )
                )
                == 1
            ),
        ),
        RISE_OF_RETENTION,
        NAME_OF_BENCHMARK,
        Rule(
            cel="self.metric != 'benchmark' || has(self.maxDrop) || has(self.minGain)",
            message="a benchmark is compared with the base model's: set maxDrop or minGain",
            check=lambda self: (
                self.metric is not Metric.BENCHMARK or (self.max_drop, self.min_gain) != (None, None)
            ),
        ),
    )

    @property
    def subject(self) -> str:
        return subject_of(self.metric, self.name)

    @property
    def is_on_answers(self) -> bool:
        """Whether answers to the rubric decide it, and not text or a benchmark beside it."""
        return self.metric not in (Metric.RETENTION, Metric.BENCHMARK)
