"""The phases of a plan: the first that stops is the last that runs, and it says why."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.operator.builders import eval_result, fine_tune
from tests.operator.scenarios import (
    blended,
    edit,
    evaluated,
    failed,
    new_evaluation,
    new_world,
    queued,
    trained,
    training,
)
from tests.operator.world import World

from blendtune_api.v1alpha1 import Cluster, ConditionType, Gang, Reason
from blendtune_operator.names import Kind, Run
from blendtune_operator.plan import fine_tune as fine_tune_plan
from blendtune_operator.plan import rubric_eval as rubric_eval_plan
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.draft import EvalDraft, FineTuneDraft
from blendtune_operator.plan.phase import Continue, PhaseResult, Stop, run_phases


def children_of(world: World, run: Run) -> Children:
    return Children.of(run, list(world), frozenset(world.unserved))


def draft_of(world: World) -> FineTuneDraft:
    run = world.fine_tune()
    children = children_of(world, run)
    return FineTuneDraft(run, run.status, children, world.now, world.settings)


def test_phases_run_in_order_until_one_stops() -> None:
    ran: list[str] = []

    def phase(name: str, result: PhaseResult) -> Callable[[str], PhaseResult]:
        def run(draft: str) -> PhaseResult:
            ran.append(f"{name} of {draft}")
            return result

        return run

    stop = Stop(Reason.QUEUED, "no room")
    phases = (phase("first", Continue()), phase("second", stop), phase("third", Continue()))
    assert run_phases("draft", phases) == stop
    assert ran == ["first of draft", "second of draft"]
    assert run_phases("draft", phases[:1]) == Continue()


def suspended() -> World:
    world = training()
    edit(world, suspend=True)
    return world


def refused() -> World:
    return new_world(cluster=Cluster(gpu_type="b300"))


def without_training_operator() -> World:
    world = World()
    world.unserved.add(Kind.PYTORCH_JOB)
    world.apply(fine_tune(cluster=Cluster(gang=Gang.PYTORCH_JOB)))
    world.settle()
    return world


@pytest.mark.parametrize(
    ("scenario", "phase", "condition"),
    [
        pytest.param(new_world, "run_blend", ConditionType.DATA_BLENDED, id="starting to blend"),
        pytest.param(blended, "run_training", ConditionType.TRAINING_SUCCEEDED, id="starting to train"),
        pytest.param(queued, "run_training", ConditionType.TRAINING_SUCCEEDED, id="queued"),
        pytest.param(training, "run_training", ConditionType.TRAINING_SUCCEEDED, id="training"),
        pytest.param(suspended, "run_training", ConditionType.TRAINING_SUCCEEDED, id="suspended"),
        pytest.param(trained, "run_evaluation", ConditionType.EVALUATION_SUCCEEDED, id="evaluating"),
        pytest.param(evaluated, "stop_if_finished", ConditionType.SUCCEEDED, id="succeeded"),
        pytest.param(failed, "stop_if_finished", ConditionType.FAILED, id="failed"),
        pytest.param(refused, "validate", ConditionType.ACCEPTED, id="refused"),
        pytest.param(
            without_training_operator, "validate", ConditionType.ACCEPTED, id="no training operator"
        ),
    ],
)
def test_the_phase_that_stops_says_what_its_condition_says(
    scenario: Callable[[], World], phase: str, condition: ConditionType
) -> None:
    draft = draft_of(scenario())
    names = [each.__name__ for each in fine_tune_plan.PHASES]
    before = fine_tune_plan.PHASES[: names.index(phase)]
    assert run_phases(draft, before) == Continue()
    stop = fine_tune_plan.PHASES[len(before)](draft)
    shown = draft.condition(condition)
    assert shown is not None
    assert stop == Stop(shown.reason, shown.message)


def test_a_refused_edit_does_not_stop_the_plan_of_a_run_that_has_started() -> None:
    world = training()
    edit(world, cluster=Cluster(gpu_type="b300"))
    draft = draft_of(world)
    stop = run_phases(draft, fine_tune_plan.PHASES)
    assert draft.obstacle is not None and draft.obstacle.reason == Reason.UNKNOWN_GPU_TYPE
    assert isinstance(stop, Stop) and stop.reason == Reason.RUNNING


def test_no_phase_stops_the_plan_in_which_a_run_succeeds() -> None:
    world = new_evaluation()
    world.succeed(world.job("ads-eval"), eval_result())
    run = world.rubric_eval()
    children = children_of(world, run)
    draft = EvalDraft(run, run.status, children, world.now, world.settings)
    assert run_phases(draft, rubric_eval_plan.PHASES) == Continue()
    assert draft.is_true(ConditionType.SUCCEEDED)
