"""The axis interpolation: points of a study that need no training, and are not independent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests.operator.study.studies import StudyWorld, study, template, world_of
from tests.operator.study.test_recommendation import Curves, Floats, exact, scores, twice

from blendtune_api.blend_study import Axes, BlendStudy, RecommendationVerdict, Search, SearchKind
from blendtune_api.codec import InvalidObject, decode, encode
from blendtune_api.v1alpha1 import Evaluation, Gate, Interpolation, Metric
from blendtune_core.interpolation import TUNED
from blendtune_core.power import Z, critical_of
from blendtune_core.student_t import quantile
from blendtune_operator.names import Kind
from blendtune_operator.plan.study.observation import Interval, Observation, difference, summarise
from blendtune_operator.plan.study.points import grid, run_spec
from blendtune_operator.plan.study.recommendation import ERROR_RATE, recommend
from blendtune_operator.plan.study.runs import observations

SHARES = (0.25, 0.5, 1.0)
WEIGHTS = (0.5, 0.75)


def weighed(**spec: object) -> BlendStudy:
    return study(Axes(in_domain_share=SHARES, interpolation=WEIGHTS, seeds=(1, 2)), **spec)


def finished() -> StudyWorld:
    world = world_of(weighed())
    world.finish_all(lambda share: (0.1 + 0.8 * share, 0.15 * share))
    return world


def test_weights_add_no_training_and_leave_the_names_of_the_runs_alone() -> None:
    plain = study(Axes(in_domain_share=SHARES, seeds=(1, 2)))
    names = [[point.name("mix") for point in grid(each.spec)] for each in (plain, weighed())]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("gates", "wanted"),
    [
        pytest.param((), (Gate(metric=Metric.GENERAL, max_drop=0.1),), id="the study's bound"),
        pytest.param(
            (Gate(metric=Metric.GENERAL, max_drop=0.3),),
            (Gate(metric=Metric.GENERAL, max_drop=0.3),),
            id="the template's own",
        ),
    ],
)
def test_each_run_asks_them_and_takes_one_within_the_bound(
    gates: tuple[Gate, ...], wanted: tuple[Gate, ...]
) -> None:
    axes = Axes(in_domain_share=(0.5,), interpolation=(0.75, 0.5, 0.75))
    value = study(axes, template=template(evaluation=Evaluation(gates=gates)))
    (point,) = grid(value.spec)
    evaluation = run_spec(value, point).evaluation
    assert evaluation.interpolation == Interpolation(weights=(0.5, 0.75))
    assert evaluation.gates == wanted
    assert decode(Evaluation, encode(evaluation)) == evaluation, "the API server takes it"


def test_points_are_bounded_as_runs_are() -> None:
    shares = tuple(index / 20 for index in range(20))
    decode(Axes, encode(Axes(in_domain_share=shares, interpolation=(0.2, 0.4, 0.6, 0.8))))
    with pytest.raises(InvalidObject, match="at most 100 runs"):
        decode(Axes, encode(Axes(in_domain_share=shares, interpolation=(0.1, 0.2, 0.4, 0.6, 0.8))))


def test_each_model_between_is_a_point() -> None:
    world = finished()
    status = world.study.status
    assert len(status.runs) == 6
    observed = list(observations(status.runs, world.study.spec.objective))
    assert len(observed) == 18
    by_point = {(each.setting.share, each.setting.weight, each.seed): each for each in observed}
    half = by_point[1.0, 0.5, 1]
    assert half.objective == Interval(value=0.5, low=pytest.approx(0.48), high=pytest.approx(0.52))
    assert half.change.value == pytest.approx(-0.075)
    assert half.constrained.value == pytest.approx(0.675)
    assert half.gain == pytest.approx(0.4)
    assert half.critical == critical_of(3)


def test_a_weight_is_recommended_where_the_tuned_model_breaks_the_bound() -> None:
    """A share of 1 with weight 0.5 loses 0.075 and learns 0.4; as tuned, a share of 0.5 does the same."""
    world = world_of(weighed())
    world.finish_all(lambda share: (0.1 + 0.8 * share, 0.15 * share**0.5))
    found = world.study.status.recommendation
    assert found is not None and found.setting is not None
    assert (found.setting.in_domain_share, found.setting.weight) == (1.0, 0.5)
    assert "share 1, weight 0.5" in found.message
    assert "share 1, as tuned" in found.message


def test_the_points_outlive_the_runs() -> None:
    world = finished()
    before = world.study.status
    for name in world.runs():
        del world.objects[Kind.BLENDED_FINE_TUNE, "team", name]
    world.settle()
    assert world.study.status.recommendation == before.recommendation
    assert [run.candidates for run in world.study.status.runs] == [run.candidates for run in before.runs]


def test_a_search_refines_by_each_weight() -> None:
    """As tuned the bound breaks above 0.5, at half the weight nowhere: both look for a share of their own."""
    axes = Axes(in_domain_share=(0.0, 0.5, 1.0), interpolation=(0.5,))
    world = world_of(study(axes, search=Search(kind=SearchKind.BISECT, max_runs=4)))
    world.finish_all(lambda share: (0.1 + 0.8 * share, 0.15 * share))
    assert {run.in_domain_share for run in world.study.status.runs} == {0.0, 0.5, 0.75, 1.0}


def with_weights(run: Observation, *weights: float) -> Iterator[Observation]:
    """The run, and points of the same training that say the same."""
    yield run
    for weight in weights:
        yield replace(run, setting=replace(run.setting, weight=weight))


def test_points_of_one_training_are_no_more_repetitions() -> None:
    """Nine points of two trainings tell no more of the seeds than the two do."""
    runs = [*twice(0.25, 0.5, 0.0), *twice(0.5, 0.8, 0.05)]
    many = [point for run in runs for point in with_weights(run, 0.2, 0.4, 0.6, 0.8)]
    alone = {each.setting: each for each in summarise(runs)}
    together = {each.setting: each for each in summarise(many) if each.setting.weight == TUNED}
    assert together == alone
    assert {each.objective.freedom for each in summarise(many)} == {2.0}


def test_intervals_that_pay_for_the_candidates_are_not_paid_for_twice() -> None:
    wide = exact(0.5, 0.8, 0.05, error=0.1)
    told = replace(wide, critical=critical_of(4))
    (plain,), (weighted,) = summarise([wide]), summarise([told])
    assert plain.objective.above == pytest.approx(0.1 / Z)
    assert weighted.objective.above == pytest.approx(0.1 / critical_of(4))
    assert critical_of(4) > Z


def of_weight(weight: float, runs: Sequence[Observation]) -> list[Observation]:
    return [replace(run, setting=replace(run.setting, weight=weight)) for run in runs]


def test_a_difference_is_only_as_sure_as_the_less_repeated_of_the_two() -> None:
    runs = [*twice(0.25, 0.5, 0.0), *twice(0.5, 0.6, 0.0), *of_weight(0.5, twice(0.5, 0.5, 0.0))]
    freedom = {each.setting.weight: each.objective.freedom for each in summarise(runs)}
    assert freedom == {TUNED: 2.0, 0.5: 1.0}
    tuned, weighted = (
        next(each for each in summarise(runs) if each.setting.weight == weight) for weight in freedom
    )
    assert difference(tuned.objective, weighted.objective).freedom == 1.0


def test_a_weight_that_was_not_repeated_is_no_surer_than_those_that_were() -> None:
    runs = [*twice(0.25, 0.5, 0.0), *twice(0.5, 0.6, 0.0), *of_weight(0.5, [exact(0.5, 0.7, 0.0)])]
    (lone,) = (each for each in summarise(runs) if each.setting.weight == 0.5)
    (tuned, _) = (each for each in summarise(runs) if each.setting.weight == TUNED)
    assert lone.objective.freedom == tuned.objective.freedom
    assert lone.objective.seeds == pytest.approx(tuned.objective.seeds * 2**0.5)
    assert recommend(runs, 0.1).best == lone


BETWEEN = Curves(in_domain=(), drop=(), seeds=0.3, repeats=3, asked=300)
TRUE = {  # in-domain score and drop by share and weight; the bound is 0.25
    (share, weight): (0.1 + learned * weight, lost * weight**2)
    for share, learned, lost in ((0.25, 0.3, 0.05), (0.5, 0.5, 0.24), (1.0, 0.7, 0.4))
    for weight in (0.5, 0.8, TUNED)
}


def observe_between(random: np.random.Generator) -> list[Observation]:
    """A study of three shares with three seeds: the models of a training share its luck, by their weight."""
    general, in_domain = random.normal(size=BETWEEN.asked), random.normal(size=BETWEEN.asked)
    base = scores(BETWEEN, 0.75, general, random, trained=False)
    found = []
    for share in SHARES:
        for seed in range(BETWEEN.repeats):
            luck = BETWEEN.seeds * random.normal(size=2)
            for weight in (0.5, 0.8, TUNED):
                learned, drop = TRUE[share, weight]
                tuned = _answered(0.75 - drop, general, weight * luck[0], random)
                known = _answered(learned, in_domain, weight * luck[1], random)
                run = exact(share, 0.0, 0.0, seed=seed)
                found.append(
                    replace(
                        run,
                        setting=replace(run.setting, weight=weight),
                        objective=_interval(known, np.full_like(known, 0.1)),
                        constrained=_interval(tuned, base),
                        change=_interval(tuned, base, difference=True),
                        critical=critical_of(3),
                    )
                )
    return found


def _answered(mean: float, difficulty: Floats, luck: float, random: np.random.Generator) -> Floats:
    """The scores of a model that the luck of its training moves by so many logits."""
    moved = replace(BETWEEN, seeds=0.0)
    centre = np.log(mean / (1 - mean)) + luck
    return scores(moved, round(float(1 / (1 + np.exp(-centre))), 3), difficulty, random)


def _interval(values: Floats, base: Floats, *, difference: bool = False) -> Interval:
    """A score, or a change, with the error of the change at the level that three candidates pay."""
    moved = values - base
    spread = np.sqrt((len(moved) * np.var(moved) + 0.5) / (len(moved) + 2) / (len(moved) - 1))
    half = critical_of(3) / Z * quantile(0.975, len(moved) - 1) * float(spread)
    value = float(np.mean(moved if difference else values))
    return Interval(value=value, low=value - half, high=value + half)


def test_with_points_of_one_training_the_claims_hold_as_often() -> None:
    random, trials = np.random.default_rng(11), 100
    allowed = {point for point, (_, drop) in TRUE.items() if drop <= 0.25}
    best = max(allowed, key=lambda point: TRUE[point][0])
    wrong = told = 0
    for _ in range(trials):
        found = recommend(observe_between(random), 0.25)
        told += found.verdict is RecommendationVerdict.RECOMMENDED
        if found.verdict is not RecommendationVerdict.RECOMMENDED or found.best is None:
            continue
        named = {(each.setting.share, each.setting.weight) for each in (found.best, *found.tied)}
        wrong += (found.best.setting.share, found.best.setting.weight) not in allowed or best not in named
    print(
        f"points of one training: recommends in {told / trials:.2f} of studies, wrong in {wrong / trials:.2f}"
    )
    assert wrong / trials <= ERROR_RATE
