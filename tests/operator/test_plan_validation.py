"""Which specs of a BlendedFineTune are refused, and what a refusal leaves alone."""

from __future__ import annotations

import pytest
from tests.operator.builders import fine_tune
from tests.operator.fine_tune_status import condition, message, status, train_jobs
from tests.operator.scenarios import blended, edit, new_world, trained
from tests.operator.world import World

from blendtune_api.v1alpha1 import (
    Cluster,
    ConditionStatus,
    ConditionType,
    Credentials,
    Export,
    Reason,
    State,
)
from blendtune_operator.names import Kind
from blendtune_operator.settings import Settings


class TestValidation:
    @pytest.mark.parametrize(
        ("spec", "reason", "words"),
        [
            pytest.param(
                {"cluster": Cluster(gpu_type="b300")},
                Reason.UNKNOWN_GPU_TYPE,
                "spec.cluster.gpuType: no GPU preset 'b300': known are a100-80gb, a100-40gb",
                id="gpu type",
            ),
            pytest.param(
                {"export": Export(uri="file:///models")},
                Reason.NOT_SUPPORTED,
                "spec.export.uri: a file:// URI is only for local mode",
                id="not in a cluster",
            ),
        ],
    )
    def test_nothing_is_created_and_the_field_is_named(
        self, spec: dict[str, object], reason: Reason, words: str
    ) -> None:
        world = new_world(**spec)
        assert world.created == []
        assert condition(world, ConditionType.ACCEPTED) == (ConditionStatus.FALSE, reason)
        assert words in message(world, ConditionType.ACCEPTED)
        assert status(world).state is State.FAILED
        assert status(world).start_time is None

    def test_a_service_account_is_refused_until_it_is_allowed(self) -> None:
        world = World(Settings(allowed_service_accounts=frozenset()))
        world.apply(fine_tune(credentials=Credentials(service_account_name="trainer")))
        world.settle()
        assert world.created == []
        assert condition(world, ConditionType.ACCEPTED)[1] == Reason.SERVICE_ACCOUNT_NOT_ALLOWED
        assert status(world).state is State.FAILED
        events = [event for event in world.events if event.reason == Reason.SERVICE_ACCOUNT_NOT_ALLOWED]
        assert {event.type for event in events} == {"Warning"}
        world.settings = Settings(allowed_service_accounts=frozenset({"trainer"}))
        world.settle()
        assert status(world).state is State.BLENDING

    def test_a_corrected_spec_runs(self) -> None:
        world = new_world(cluster=Cluster(gpu_type="b300"))
        edit(world, cluster=Cluster())
        assert status(world).state is State.BLENDING

    def test_an_unreadable_spec_is_refused_with_all_faults(self) -> None:
        world = World()
        key = world.apply(fine_tune())
        spec = world.objects[key.kind, key.namespace, key.name]["spec"]
        spec["blend"]["budget"]["epochs"] = -1
        spec["training"] = {"learningRte": 1}
        world.reconcile(key)
        found = world.objects[key.kind, key.namespace, key.name]["status"]
        accepted = next(item for item in found["conditions"] if item["type"] == "Accepted")
        assert accepted["reason"] == Reason.INVALID_SPEC
        assert "spec.blend.budget.epochs" in accepted["message"]
        assert "learningRte" in accepted["message"]

    def test_a_refused_edit_leaves_the_running_attempt_alone(self) -> None:
        world = blended()
        world.start(world.job("ads-train-1"))
        edit(world, cluster=Cluster(nodes=2, gpu_type="b300"))
        assert condition(world, ConditionType.ACCEPTED)[1] == Reason.UNKNOWN_GPU_TYPE
        world.fail(world.job("ads-train-1"), 1)
        world.settle()
        world.wait(60)
        assert train_jobs(world) == ["ads-train-1"]
        assert "b300" in message(world, ConditionType.TRAINING_SUCCEEDED)
        edit(world, cluster=Cluster(nodes=3))
        assert train_jobs(world) == ["ads-train-1", "ads-train-2"]

    def test_an_unknown_gpu_type_does_not_break_the_plan_of_an_evaluation(self) -> None:
        world = trained()
        world.fail(world.job("ads-eval"), 137, reason="OOMKilled")
        world.settle()
        edit(world, cluster=Cluster(gpu_type="b300"))
        assert condition(world, ConditionType.ACCEPTED)[1] == Reason.UNKNOWN_GPU_TYPE
        assert condition(world, ConditionType.EVALUATION_SUCCEEDED)[1] == Reason.BACKING_OFF
        world.remove(next(obj for obj in world if obj["kind"] == Kind.RUBRIC_EVAL))
        world.settle()
        assert condition(world, ConditionType.EVALUATION_SUCCEEDED)[1] == Reason.PENDING
        assert "b300" in message(world, ConditionType.EVALUATION_SUCCEEDED)
        edit(world, cluster=Cluster())
        assert condition(world, ConditionType.EVALUATION_SUCCEEDED)[1] == Reason.STARTING
