"""Gates that the rubric is too small for are told of before anything is judged."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.operator.builders import blend_result, fine_tune, rubric_eval
from tests.operator.world import World

from blendtune_api.contract import RubricResult, encode_message
from blendtune_api.v1alpha1 import (
    Condition,
    ConditionStatus,
    ConditionType,
    EvaluatedModel,
    Evaluation,
    Gate,
    Interpolation,
    KeySelector,
    Metric,
    Reason,
    RubricEvalBaseline,
    RubricReference,
)
from blendtune_operator.conditions import Conditions, find
from blendtune_operator.plan.margins import too_fine

FINE, COARSE = Gate(metric=Metric.GENERAL, max_drop=0.05), Gate(metric=Metric.GENERAL, max_drop=0.3)
SCORE = Gate(metric=Metric.GENERAL, min_score=0.3)
BASELINE = RubricEvalBaseline(model=EvaluatedModel(uri="pvc://models/base"))
MORE = RubricReference(builtin="business45", general_from="general300")
OWN = RubricReference(config_map_ref=KeySelector(name="mine", key="rubric.yaml"))


def gates_passed(conditions: Conditions) -> Condition:
    condition = find(conditions, ConditionType.GATES_PASSED)
    assert condition is not None
    return condition


def new_fine_tune(evaluation: Evaluation) -> World:
    world = World()
    world.apply(fine_tune(evaluation=evaluation))
    world.settle()
    return world


@pytest.mark.parametrize(
    ("evaluation", "reason", "words"),
    [
        pytest.param(
            Evaluation(gates=(FINE,)), Reason.MARGIN_TOO_FINE, "spec.evaluation.gates[0]", id="fine"
        ),
        pytest.param(Evaluation(gates=(COARSE,)), Reason.PENDING, "", id="coarse"),
        pytest.param(
            Evaluation(gates=(FINE,), rubric=MORE), Reason.PENDING, "", id="enough general questions"
        ),
        pytest.param(Evaluation(gates=(FINE,), rubric=OWN), Reason.PENDING, "", id="own rubric, unchecked"),
    ],
)
def test_a_builtin_rubric_is_known_at_once(evaluation: Evaluation, reason: Reason, words: str) -> None:
    world = new_fine_tune(evaluation)
    condition = gates_passed(world.fine_tune().status.conditions)
    assert (condition.status, condition.reason) == (ConditionStatus.UNKNOWN, reason)
    assert words in condition.message
    assert world.job("ads-blend"), "a warning keeps nothing from running"


def test_it_is_an_event_of_type_warning() -> None:
    world = new_fine_tune(Evaluation(gates=(FINE,)))
    assert [event.type for event in world.events if event.reason == Reason.MARGIN_TOO_FINE] == ["Warning"]


def test_an_own_rubric_is_known_once_it_was_checked() -> None:
    world = new_fine_tune(Evaluation(gates=(COARSE,), rubric=OWN))
    checked = encode_message(RubricResult(name="mine", digest="d", general=4, in_domain=9))
    end = {"terminated": {"exitCode": 0, "message": checked}}
    world.start(world.job("ads-blend"), initContainerStatuses=[{"name": "rubric", "state": end}])
    world.succeed(world.job("ads-blend"), blend_result())
    world.settle()
    status = world.fine_tune().status
    assert status.rubric is not None
    assert (status.rubric.name, status.rubric.general, status.rubric.in_domain) == ("mine", 4, 9)
    assert "finer than 4 questions" in gates_passed(status.conditions).message


def test_a_difference_to_nothing_is_warned_of() -> None:
    alone = too_fine(rubric_eval(gates=(COARSE, SCORE)), None)
    assert [fault.path for fault in alone] == ["spec.gates[0]"]
    assert "there is no baseline" in alone[0].message
    assert too_fine(rubric_eval(gates=(COARSE, SCORE), baseline=BASELINE), None) == ()


def test_intervals_that_pay_for_candidates_tell_less_apart() -> None:
    """With 22 general questions 0.19 is told apart for one model, but not for nine of which one is taken."""
    gate = Gate(metric=Metric.GENERAL, max_drop=0.19)
    among = Interpolation(weights=tuple(number / 10 for number in range(1, 9)))
    assert too_fine(rubric_eval(gates=(gate,), baseline=BASELINE), None) == ()
    (found,) = too_fine(rubric_eval(gates=(gate,), baseline=BASELINE, interpolation=among), None)
    assert found.path == "spec.gates[0]"


def test_a_mended_gate_is_no_longer_warned_of() -> None:
    world = World()
    world.apply(rubric_eval(gates=(FINE,), baseline=BASELINE))
    world.settle()
    warned = gates_passed(world.rubric_eval().status.conditions)
    assert (warned.reason, warned.message.partition(":")[0]) == (Reason.MARGIN_TOO_FINE, "spec.gates[0]")
    run = world.rubric_eval()
    world.apply(replace(run, spec=replace(run.spec, gates=(COARSE,))))
    world.settle()
    assert gates_passed(world.rubric_eval().status.conditions).reason == Reason.PENDING
