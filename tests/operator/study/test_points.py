"""The runs of a study: one for each combination of the axes, and what makes a study refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.operator.builders import STORAGE
from tests.operator.study.studies import study, template

from blendtune_api.blend_study import (
    STUDY_NAME_MAX_LENGTH,
    Axes,
    Bound,
    Hold,
    Objective,
    Search,
    SearchKind,
)
from blendtune_api.v1alpha1 import (
    NAME_MAX_LENGTH,
    Budget,
    Cluster,
    EarlyStopping,
    Evaluation,
    EvaluationBaseline,
    Export,
    Gate,
    Interpolation,
    Method,
    Metric,
    Model,
    Role,
    Source,
    StoppingMetric,
    Training,
)
from blendtune_operator.plan.study.points import Point, grid, run_object, run_spec
from blendtune_operator.plan.study.validation import study_refusals
from blendtune_operator.settings import Settings

SMALL, LARGE = Model(uri="hf://org/7b"), Model(uri="hf://org/13b")
WHOLE = Axes(
    in_domain_share=(0, 0.5, 1),
    models=(SMALL, LARGE),
    epochs=(1, 3),
    method=(Method.FULL, Method.LORA),
    seeds=(1, 2),
)


def point(**values: Any) -> Point:
    base = Point(share=0.5, model=SMALL, epochs=1, method=Method.FULL, seed=1)
    return replace(base, **values)


def sources(*shares: tuple[str, Role, float]) -> tuple[Source, ...]:
    return tuple(
        Source(name=name, role=role, uri=f"pvc://d/{name}", weight=weight) for name, role, weight in shares
    )


def test_the_grid_is_the_product_of_the_axes_each_seed_after_the_other() -> None:
    points = grid(study(WHOLE).spec)
    assert len(points) == len(set(points)) == WHOLE.combinations == 48
    assert [one.seed for one in points] == [1] * 24 + [2] * 24


def test_a_repeated_value_is_one_run() -> None:
    assert len(grid(study(Axes(in_domain_share=(0.5, 0.5), seeds=(1, 1))).spec)) == 1


def test_an_axis_that_is_left_out_takes_the_template() -> None:
    (only,) = grid(study(Axes(in_domain_share=(0.5,))).spec)
    spec = study().spec.template.spec
    assert (only.model, only.method, only.seed) == (spec.model, spec.training.method, spec.training.seed)


def test_a_learning_rate_is_an_axis_that_leaves_the_names_of_other_runs_alone() -> None:
    """The template's own rate is that of a study without the axis."""
    own = study().spec.template.spec.training.learning_rate
    plain = study(Axes(in_domain_share=(0.5,)))
    rates = study(Axes(in_domain_share=(0.5,), learning_rate=(own, 1e-6)))
    (before,) = grid(plain.spec)
    same, lower = grid(rates.spec)
    assert same == before and same.name("mix") == before.name("mix") != lower.name("mix")
    assert [run_spec(rates, one).training.learning_rate for one in (same, lower)] == [own, 1e-6]
    assert Axes(in_domain_share=(0.5, 1), learning_rate=(own, 1e-6)).combinations == 4


def test_names_tell_the_share_and_are_those_of_the_values_alone() -> None:
    few, many = study(Axes(in_domain_share=(0.5,), seeds=(1,))), study(WHOLE)
    names = {one.name("mix") for one in grid(many.spec)}
    assert len(names) == 48
    assert point().name("mix") == point().name("mix")
    assert point().name("mix").startswith("mix-50-")
    (alone,) = grid(few.spec)
    assert replace(alone, seed=2).name("mix") != alone.name("mix")


@given(share=st.floats(0, 1), seed=st.integers(0, 2**31 - 1))
def test_names_fit(share: float, seed: int) -> None:
    assert len(point(share=share, seed=seed).name("a" * STUDY_NAME_MAX_LENGTH)) <= NAME_MAX_LENGTH


@given(
    share=st.floats(0, 1),
    weights=st.lists(st.floats(0.01, 1000), min_size=2, max_size=6),
)
def test_sources_share_in_proportion_to_their_weights(share: float, weights: list[float]) -> None:
    roles = [Role.IN_DOMAIN if index % 2 else Role.GENERAL for index in range(len(weights))]
    given_sources = sources(
        *((f"s{i}", role, weight) for i, (role, weight) in enumerate(zip(roles, weights, strict=True)))
    )
    blend = replace(template().spec.blend, sources=given_sources)
    value = study(template=template(blend=blend))
    found = run_spec(value, point(share=share)).blend.sources
    in_domain = sum(source.weight for source in found if source.role is Role.IN_DOMAIN)
    assert sum(source.weight for source in found) == pytest.approx(100, abs=1e-3)
    assert in_domain == pytest.approx(100 * share, abs=1e-3)


@pytest.mark.parametrize(("share", "roles"), [(0, {Role.GENERAL}), (1, {Role.IN_DOMAIN})])
def test_a_role_without_a_share_is_left_out(share: float, roles: set[Role]) -> None:
    spec = run_spec(study(), point(share=share))
    assert {source.role for source in spec.blend.sources} == roles


def test_all_shares_train_on_the_same_tokens() -> None:
    budgets = {(one.epochs, run_spec(study(WHOLE), one).blend.budget) for one in grid(study(WHOLE).spec)}
    assert budgets == {(1, Budget(tokens=1000)), (3, Budget(tokens=3000))}


def test_or_all_shares_make_the_same_passes() -> None:
    value = study(WHOLE, hold=Hold.IN_DOMAIN_PASSES)
    assert run_spec(value, point(epochs=3)).blend.budget == Budget(epochs=3)


def test_each_run_has_a_workspace_of_its_own() -> None:
    value = study(template=template(export=Export(uri="s3://models/mix/")))
    name = point().name("mix")
    spec = run_spec(value, point())
    assert spec.storage.path == f"team/mix/{name}"
    assert spec.export == Export(uri=f"s3://models/mix/{name}")
    placed = study(template=template(storage=replace(STORAGE, path="runs/here")))
    assert run_spec(placed, point()).storage.path == f"runs/here/{name}"


def test_the_seed_is_that_of_blend_and_training() -> None:
    spec = run_spec(study(), point(seed=7, method=Method.LORA, model=LARGE))
    assert (spec.blend.seed, spec.training.seed) == (7, 7)
    assert (spec.training.method, spec.model) == (Method.LORA, LARGE)


def test_a_run_belongs_to_its_study() -> None:
    obj = run_object(study(), point())
    (owner,) = obj["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("BlendStudy", "mix", "study-uid")


@pytest.mark.parametrize(
    ("own", "given_seconds", "seconds"),
    [(None, None, None), (None, 90, 90), (60, 90, 60), (90, 60, 60)],
)
def test_the_shorter_deadline_holds(own: int | None, given_seconds: int | None, seconds: int | None) -> None:
    value = study(template=template(cluster=Cluster(active_deadline_seconds=own)))
    spec = run_object(value, point(), given_seconds)["spec"]
    assert spec["cluster"].get("activeDeadlineSeconds") == seconds


def only(role: Role) -> Any:
    blend = replace(template().spec.blend, sources=sources(("one", role, 1)))
    return template(blend=blend)


@pytest.mark.parametrize(
    ("spec", "path", "words"),
    [
        pytest.param(
            {"template": template(blend=replace(template().spec.blend, budget=Budget(epochs=1)))},
            "spec.template.spec.blend.budget",
            "set tokens",
            id="tokens wanted",
        ),
        pytest.param(
            {"hold": Hold.IN_DOMAIN_PASSES},
            "spec.template.spec.blend.budget",
            "set epochs",
            id="epochs wanted",
        ),
        pytest.param(
            {"hold": Hold.IN_DOMAIN_PASSES, "axes": Axes(in_domain_share=(0.5, 0), epochs=(1,))},
            "spec.axes.inDomainShare[1]",
            "above 0",
            id="passes over nothing",
        ),
        pytest.param(
            {"template": only(Role.GENERAL)},
            "spec.axes.inDomainShare[0]",
            "inDomain",
            id="no in-domain source",
        ),
        pytest.param(
            {"template": only(Role.IN_DOMAIN)},
            "spec.axes.inDomainShare[0]",
            "general",
            id="no general source",
        ),
        pytest.param(
            {
                "template": template(
                    training=Training(early_stopping=EarlyStopping(metric=StoppingMetric.KL, max=0.1))
                ),
                "axes": Axes(in_domain_share=(0.5, 1)),
            },
            "spec.axes.inDomainShare[1]",
            "no general rows to hold out",
            id="stopped by general rows that a share leaves out",
        ),
        pytest.param({"search": Search(max_runs=5)}, "spec.search.maxRuns", "6 runs", id="too many runs"),
        pytest.param(
            {"search": Search(kind=SearchKind.BISECT), "axes": Axes(in_domain_share=(0.5,))},
            "spec.axes.inDomainShare",
            "at least two",
            id="nothing to bisect",
        ),
        pytest.param(
            {"template": template(evaluation=Evaluation(baseline=EvaluationBaseline(enabled=False)))},
            "spec.template.spec.evaluation.baseline.enabled",
            "true",
            id="no baseline",
        ),
        pytest.param(
            {"template": template(suspend=True)}, "spec.template.spec.suspend", "spec.suspend", id="suspend"
        ),
        pytest.param(
            {"template": template(retry=1)}, "spec.template.spec.retry", "BlendedFineTune", id="retry"
        ),
        pytest.param(
            {"template": template(cluster=Cluster(gpu_type="b300"))},
            "spec.template.spec.cluster.gpuType",
            "b300",
            id="refused of the runs",
        ),
        pytest.param(
            {
                "axes": Axes(in_domain_share=(0.5,), interpolation=(0.5,)),
                "objective": Objective(
                    maximize=Metric.IN_DOMAIN, subject_to=Bound(metric=Metric.RETENTION, max_rise=0.1)
                ),
            },
            "spec.objective",
            "subject to general",
            id="weights without an interval of the bounded metric",
        ),
        pytest.param(
            {
                "axes": Axes(in_domain_share=(0.5,), interpolation=(0.5,)),
                "template": template(
                    evaluation=Evaluation(
                        interpolation=Interpolation(weights=(0.7,)),
                        gates=(Gate(metric=Metric.GENERAL, max_drop=0.1),),
                    )
                ),
            },
            "spec.template.spec.evaluation.interpolation",
            "leave one of the two out",
            id="weights twice",
        ),
        pytest.param(
            {"axes": Axes(in_domain_share=(0.5,), models=(SMALL, Model(uri="file:///m")))},
            "spec.axes.models[1].uri",
            "local mode",
            id="refused of a model",
        ),
    ],
)
def test_a_study_that_makes_no_sense_is_refused(spec: dict[str, Any], path: str, words: str) -> None:
    found = study_refusals(study(**spec), Settings())
    assert (found[0].fault.path, len(found)) == (path, len({refusal.fault for refusal in found}))
    assert words in found[0].fault.message


def test_a_study_that_makes_sense_is_not_refused() -> None:
    assert study_refusals(study(WHOLE), Settings()) == ()
