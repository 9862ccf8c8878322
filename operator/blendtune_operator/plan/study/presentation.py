"""A recommendation as status and as sentences: the setting, its evidence, and what to do without any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from blendtune_api.blend_study import (
    MAX_RUNS,
    RECOMMENDATION_LENGTH,
    Objective,
    RecommendationStatus,
    RecommendationVerdict,
    StudySetting,
)
from blendtune_api.v1alpha1 import Metric
from blendtune_core.interpolation import TUNED
from blendtune_core.student_t import quantile
from blendtune_operator.plan.study.observation import Mean, Setting, Summary
from blendtune_operator.plan.study.recommendation import Recommendation

_QUANTILE = partial(quantile, 0.975)  # for a two-sided interval of 95%


def setting_status(summary: Summary) -> StudySetting:
    setting = summary.setting
    return StudySetting(
        in_domain_share=setting.share,
        model=setting.model,
        epochs=setting.epochs,
        method=setting.method,
        learning_rate=setting.learning_rate or None,
        weight=None if setting.weight == TUNED else setting.weight,
        runs=summary.runs,
        objective=summary.objective.value,
        constrained=summary.constrained.value,
        change=summary.change.value,
        gpu_hours=summary.gpu_hours,
        gain_per_gpu_hour=summary.gain_per_gpu_hour,
    )


def recommendation_status(found: Recommendation, objective: Objective) -> RecommendationStatus:
    settings = [summary.setting for summary in _summaries(found)]
    best = found.best
    return RecommendationStatus(
        verdict=found.verdict,
        setting=None if best is None else setting_status(best),
        objective_low=None if best is None else score_range(best.objective)[0],
        objective_high=None if best is None else score_range(best.objective)[1],
        change_low=None if best is None else low(best.change),
        change_high=None if best is None else high(best.change),
        tied=tuple(describe(summary.setting, settings) for summary in found.tied)[:MAX_RUNS],
        message=" ".join(_sentences(found, objective, settings))[:RECOMMENDATION_LENGTH],
    )


def low(mean: Mean) -> float:
    """Lower end of the two-sided 95% interval over questions and, where they were repeated, seeds."""
    return mean.low(_QUANTILE)


def high(mean: Mean) -> float:
    """Upper end of the same interval."""
    return mean.high(_QUANTILE)


def score_range(mean: Mean) -> tuple[float, float]:
    """`low` and `high` of a score, cut to 0..1."""
    return max(0.0, low(mean)), min(1.0, high(mean))


def describe(setting: Setting, among: Iterable[Setting]) -> str:
    """The share of a setting, and those of its other values in which the settings `among` differ."""
    among = tuple(among)
    words = [f"share {setting.share:g}"]
    if len({other.model for other in among}) > 1:
        words.append(setting.model)
    if len({other.epochs for other in among}) > 1:
        words.append(f"{setting.epochs:g} epoch{'' if setting.epochs == 1 else 's'}")
    if len({other.method for other in among}) > 1:
        words.append(setting.method)
    if len({other.learning_rate for other in among}) > 1:
        rate = f"{setting.learning_rate:g}" if setting.learning_rate else "of the template"
        words.append(f"learning rate {rate}")
    if len({other.weight for other in among}) > 1:
        words.append("as tuned" if setting.weight == TUNED else f"weight {setting.weight:g}")
    return ", ".join(words)


def _summaries(found: Recommendation) -> tuple[Summary, ...]:
    own = () if found.best is None else (found.best,)
    return (*own, *found.tied, *found.worse, *found.excluded)


def _sentences(found: Recommendation, objective: Objective, settings: Sequence[Setting]) -> Iterator[str]:
    metric, most = objective.subject_to.subject, objective.subject_to.most
    best = found.best
    if found.verdict is RecommendationVerdict.NONE_ALLOWED:
        yield (
            f"Every setting surely loses more than {most:g} in {metric}: train on less or with a lower "
            "learning rate, try smaller shares, or allow more."
        )
        return
    if best is None:
        yield "The data cannot tell: no run has scores that compare with its base model's."
        return
    name = describe(best.setting, settings)
    if found.verdict is RecommendationVerdict.RECOMMENDED:
        yield f"Use {name}."
    else:
        yield f"The data cannot tell. {_why_undecided(found, objective)} The best guess is {name}."
    seeds = "one seed" if best.runs == 1 else f"{best.runs} seeds"
    yield (
        f"It scores {best.objective.value:.3f} in {objective.maximize} "
        f"({low(best.objective):.3f} to {high(best.objective):.3f}) and changes {metric} by "
        f"{best.change.value:+.3f} ({low(best.change):+.3f} to {high(best.change):+.3f}), where it may lose "
        f"{most:g}; 95% intervals over questions and {seeds}."
    )
    for words, summaries in (
        (f"Not told apart from it in {objective.maximize}, or not surely within the bound", found.tied),
        ("Surely worse", found.worse),
        (f"Surely losing more than {most:g} in {metric}", found.excluded),
    ):
        if summaries:
            names = "; ".join(describe(summary.setting, settings) for summary in summaries)
            yield f"{words}: {names}."


def _finer(objective: Objective) -> str:
    """What makes the interval of the bounded metric narrower."""
    bound = objective.subject_to
    if bound.metric is Metric.RETENTION:
        return "compare more rows (evaluation.retention.rows)"
    if bound.metric is Metric.BENCHMARK:
        return "bound a benchmark of more samples"
    return f"ask more {bound.metric} questions"


def _why_undecided(found: Recommendation, objective: Objective) -> str:
    metric, most = objective.subject_to.subject, objective.subject_to.most
    if all(summary.runs < 2 for summary in _summaries(found)):
        return (
            "Each setting ran with one seed, so that chance cannot be told from effect: add a second to "
            "spec.axes.seeds."
        )
    if found.worse:
        return (
            f"No setting surely loses at most {most:g} in {metric}: add seeds, {_finer(objective)}, "
            "or allow more."
        )
    return (
        f"The settings are not told apart in {objective.maximize}: add seeds, ask more questions, or put "
        "shares further apart."
    )
