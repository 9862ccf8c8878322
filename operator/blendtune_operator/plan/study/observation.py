"""What finished runs have shown, by setting, with two sources of error kept apart: questions and seeds.

The questions of a rubric are drawn at random from all that could be asked, and all runs are asked the same:
their error does not shrink with more seeds. The seed's error does, and is the same size for all settings: it
is pooled over those that were repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import fmean, variance

from blendtune_api.v1alpha1 import Method
from blendtune_core.power import Z


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Setting:
    """What a study varies, but for the seed: share of in-domain data, 0..1; model URI; epochs; method."""

    share: float
    model: str
    epochs: float
    method: Method

    @property
    def but_share(self) -> tuple[str, float, Method]:
        """What settings have in common that differ in their share alone."""
        return self.model, self.epochs, self.method


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """A value with its 95% interval over the questions."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """One finished run. `change` is the constrained metric less the base model's, `gain` the objective's."""

    setting: Setting
    seed: int
    objective: Interval
    constrained: Interval
    change: Interval
    gain: float | None = None
    gpu_hours: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """The mean of a setting's runs, with its errors as standard deviations.

    `below` and `above` are the questions' errors to either side: an interval of a score near its bound is not
    symmetric. `seeds` is that of the mean over seeds, with its degrees of freedom.
    """

    value: float
    below: float
    above: float
    seeds: float
    freedom: float

    def low(self, quantile: Callable[[float], float]) -> float:
        """The lower end of an interval; `quantile` gives the factor for so many degrees of freedom."""
        return self.value - _reach(self.below, self.seeds, self.freedom, quantile)

    def high(self, quantile: Callable[[float], float]) -> float:
        return self.value + _reach(self.above, self.seeds, self.freedom, quantile)


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A setting with what its runs, one for each seed, have shown together."""

    setting: Setting
    runs: int
    objective: Mean
    constrained: Mean
    change: Mean
    gain: float | None
    gpu_hours: float | None

    @property
    def gain_per_gpu_hour(self) -> float | None:
        """Points of the objective that an hour of one GPU bought."""
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
    """`one` less `other`.

    Both answered the same questions, which can only bring their errors closer together: counted as if they
    had been asked apart, the error is rather too large than too small.
    """
    return Mean(
        value=one.value - other.value,
        below=sqrt(one.below**2 + other.above**2),
        above=sqrt(one.above**2 + other.below**2),
        seeds=sqrt(one.seeds**2 + other.seeds**2),
        freedom=one.freedom,
    )


def _means(groups: Sequence[Sequence[Observation]], read: Callable[[Observation], Interval]) -> list[Mean]:
    spread, freedom = _pooled([[read(run).value for run in group] for group in groups])
    return [
        Mean(
            value=fmean(read(run).value for run in group),
            below=fmean(read(run).value - read(run).low for run in group) / Z,
            above=fmean(read(run).high - read(run).value for run in group) / Z,
            seeds=spread / sqrt(len(group)),
            freedom=freedom,
        )
        for group in groups
    ]


def _pooled(groups: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The standard deviation over seeds, and its degrees of freedom: none where nothing was repeated."""
    repeated = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in repeated)
    if not freedom:
        return 0.0, 0.0
    squares = sum(variance(group) * (len(group) - 1) for group in repeated)
    return sqrt(squares / freedom), float(freedom)


def _reach(questions: float, seeds: float, freedom: float, quantile: Callable[[float], float]) -> float:
    """The errors taken together; their degrees of freedom are Satterthwaite's (1946)."""
    together = sqrt(questions**2 + seeds**2)
    effective = inf if seeds == 0 else freedom * (together / seeds) ** 4
    return quantile(effective) * together


def _mean_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
