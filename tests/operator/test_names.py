from __future__ import annotations

import re

import pytest
from tests.operator.builders import fine_tune

from blendtune_api.v1alpha1 import NAME_MAX_LENGTH, Gang, Stage
from blendtune_operator import names
from blendtune_operator.gang.job import pod_host
from blendtune_operator.gang.job_set import pod_host as set_pod_host
from blendtune_operator.gang.pytorch_job import worker_host
from blendtune_operator.names import Kind

LONGEST = "a" * NAME_MAX_LENGTH


@pytest.mark.parametrize(
    "name",
    [
        names.run_config(LONGEST, 99),
        names.rehearse_job(LONGEST, 999),
        names.blend_job(LONGEST, 999),
        names.eval_job(LONGEST, 999),
        worker_host(LONGEST, 999, 1023),
        pod_host(LONGEST, 999, 1023),
        set_pod_host(LONGEST, 999, 1023).partition(".")[0],
        names.training_service(LONGEST),
    ],
)
def test_the_longest_name_leaves_room_for_every_child_and_its_pods(name: str) -> None:
    assert len(name) <= 63
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)


@pytest.mark.parametrize(
    ("stage", "attempt", "expected"),
    [
        pytest.param(Stage.REHEARSE, 2, (Kind.JOB, "ads-rehearse-2"), id="rehearse again"),
        pytest.param(Stage.BLEND, 1, (Kind.JOB, "ads-blend"), id="blend"),
        pytest.param(Stage.BLEND, 2, (Kind.JOB, "ads-blend-2"), id="blend again"),
        pytest.param(Stage.TRAIN, 1, (Kind.PYTORCH_JOB, "ads-train-1"), id="train"),
        pytest.param(Stage.EVAL, 3, (Kind.JOB, "ads-eval-3"), id="third eval"),
    ],
)
def test_an_attempt_is_named_by_its_stage_and_number(
    stage: Stage, attempt: int, expected: tuple[Kind, str]
) -> None:
    assert names.attempt_child("ads", stage, attempt, Gang.PYTORCH_JOB) == expected


def test_a_child_is_owned_by_its_controller_only() -> None:
    run = fine_tune()
    child = {"metadata": names.metadata(run, "child")}
    assert names.is_owned_by(child, run.metadata.uid)
    assert not names.is_owned_by(child, "another")
    child["metadata"]["ownerReferences"][0]["controller"] = False
    assert not names.is_owned_by(child, run.metadata.uid)
