"""The scores of finished runs by setting, with two sources of error kept apart: questions and seeds.

The questions of a rubric are drawn at random from all that could be asked, and all runs are asked the same:
their error does not shrink with more seeds. The error of the seeds does. It is taken to be equal for all
settings of one weight, and is pooled over those that ran with more than one seed.

The models between base and tuned one of a run are points of one training: they share its seed. So each weight
has a pool of its own, in which a training counts once: more weights are no more repetitions. Between two
points the errors are counted as independent, which overstates that of points of one training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, variance

from blendtune_api.v1alpha1 import Method
from blendtune_core.interpolation import TUNED
from blendtune_core.power import Z


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Setting:
    """What a study varies beside the seed: share of in-domain data (0..1), model URI, epochs, method, peak
    learning rate, which is 0 for the template's own, and the weight between base and tuned model.
    """

    share: float
    model: str
    epochs: float
    method: Method
    learning_rate: float = 0.0
    weight: float = TUNED

    @property
    def without_share(self) -> tuple[str, float, Method, float]:
        """The values of its training but the share: equal for trainings that differ in their share alone."""
        return self.model, self.epochs, self.method, self.learning_rate


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A value with its 95% interval over the questions."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One finished run, or one of the models between its base and its tuned one.

    `objective` and `constrained` are the scores of the two metrics. `change` is the constrained metric less
    that of the base model, `gain` the objective less that of the base model. `critical` is how many standard
    errors the intervals reach to either side.
    """

    setting: Setting
    seed: int
    objective: Interval
    constrained: Interval
    change: Interval
    gain: float | None = None
    gpu_hours: float | None = None
    critical: float = Z


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """The mean of a setting's runs, with its errors as standard deviations.

    `below` and `above` are the errors over questions to either side: the interval of a score near 0 or 1 is
    not symmetric. `seeds` is the error of the mean over seeds, and `freedom` its degrees of freedom.
    """

    value: float
    below: float
    above: float
    seeds: float
    freedom: float

    def low(self, quantile: Callable[[float], float]) -> float:
        """Lower end of an interval. `quantile` gives the factor of an error by its degrees of freedom."""
        return self.value - _half_width(self.below, self.seeds, self.freedom, quantile)

    def high(self, quantile: Callable[[float], float]) -> float:
        """Upper end of an interval, likewise."""
        return self.value + _half_width(self.above, self.seeds, self.freedom, quantile)


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A setting with the means over its runs, one of each seed. None: of no run is the value known."""

    setting: Setting
    runs: int
    objective: Mean
    constrained: Mean
    change: Mean
    gain: float | None
    gpu_hours: float | None

    @property
    def gain_per_gpu_hour(self) -> float | None:
        """Points of the objective gained by an hour of one GPU; None if either is unknown."""
        if self.gain is None or not self.gpu_hours:
            return None
        return self.gain / self.gpu_hours


def summarise(observations: Iterable[Observation]) -> tuple[Summary, ...]:
    """One summary for each setting, in the order of the settings."""
    by_setting: dict[Setting, list[Observation]] = {}
    for observation in observations:
        by_setting.setdefault(observation.setting, []).append(observation)
    groups = [by_setting[setting] for setting in sorted(by_setting)]
    objective, constrained, change = (
        _means(groups, read)
        for read in (lambda run: run.objective, lambda run: run.constrained, lambda run: run.change)
    )
    return tuple(
        Summary(
            setting=group[0].setting,
            runs=len(group),
            objective=objective[index],
            constrained=constrained[index],
            change=change[index],
            gain=_mean_of_known(run.gain for run in group),
            gpu_hours=_mean_of_known(run.gpu_hours for run in group),
        )
        for index, group in enumerate(groups)
    )


def difference(one: Mean, other: Mean) -> Mean:
    """`one` less `other`, as if their errors were independent.

    Both answered the same questions, so their errors tend to correlate, and the error of the difference is
    rather overstated than understated.
    """
    return Mean(
        value=one.value - other.value,
        below=sqrt(one.below**2 + other.above**2),
        above=sqrt(one.above**2 + other.below**2),
        seeds=sqrt(one.seeds**2 + other.seeds**2),
        freedom=min(one.freedom, other.freedom),
    )


def _means(groups: Sequence[Sequence[Observation]], read: Callable[[Observation], Interval]) -> list[Mean]:
    pools: dict[float, list[list[float]]] = {}
    for group in groups:
        pools.setdefault(group[0].setting.weight, []).append([read(run).value for run in group])
    pooled = {weight: _pooled(values) for weight, values in pools.items()}
    widest = max(pooled.values(), default=(0.0, 0.0))  # for a weight without repetitions
    repeated = {weight: found if found[1] else widest for weight, found in pooled.items()}
    return [_mean(group, read, *repeated[group[0].setting.weight]) for group in groups]


def _mean(
    group: Sequence[Observation], read: Callable[[Observation], Interval], spread: float, freedom: float
) -> Mean:
    return Mean(
        value=fmean(read(run).value for run in group),
        below=fmean((read(run).value - read(run).low) / run.critical for run in group),
        above=fmean((read(run).high - read(run).value) / run.critical for run in group),
        seeds=spread / sqrt(len(group)),
        freedom=freedom,
    )


def _pooled(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The standard deviation over seeds and its degrees of freedom; both 0 where nothing was repeated."""
    repeated = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in repeated)
    if not freedom:
        return 0.0, 0.0
    squares = sum(variance(group) * (len(group) - 1) for group in repeated)
    return sqrt(squares / freedom), float(freedom)


def _half_width(questions: float, seeds: float, freedom: float, quantile: Callable[[float], float]) -> float:
    """Half of an interval over both errors; its degrees of freedom are Satterthwaite's (1946)."""
    combined = sqrt(questions**2 + seeds**2)
    effective = inf if seeds == 0 else freedom * (combined / seeds) ** 4
    return quantile(effective) * combined


def _mean_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
