"""Pods of Kubernetes alone: a training that no other controller makes, and rows that its model writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.e2e.namespaces import CLAIM, USER, Namespace, small_run

from blendtune_api.contract import Workspace
from blendtune_operator import names

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


def rehearsing_run(model: str) -> dict[str, Any]:
    """A small run without general data, on a model that has learned to end its answers."""
    run = small_run()
    run["metadata"]["name"] = "kept"
    run["spec"]["model"]["uri"] = model
    run["spec"]["blend"]["budget"]["epochs"] = 1
    run["spec"]["cluster"]["rehearse"] = {"gpus": 0}
    shop, world = run["spec"]["blend"]["sources"]
    prompts = {"uri": world["uri"]}
    run["spec"]["blend"]["sources"] = [
        shop,
        {**world, "uri": "self://", "selfRehearsal": {"prompts": prompts, "maxNewTokens": 64}},
    ]
    return run


def test_a_training_by_job_and_general_rows_by_its_model(namespace: Namespace) -> None:
    first = small_run()
    first["spec"]["cluster"]["gang"] = "Job"
    namespace.apply(first)
    tuned = namespace.follow("small")
    assert tuned["status"]["state"] == "Succeeded", tuned["status"]
    assert tuned["status"]["pinned"]["gang"] == "Job"
    pods = namespace.kubectl.list("pods", f"{names.STAGE}=train")
    ranks = {pod["metadata"]["labels"][names.COMPLETION_INDEX] for pod in pods}
    assert ranks == {"0", "1"}

    namespace.apply(rehearsing_run(f"pvc://{CLAIM}/{namespace.name}/small/model"))
    run = namespace.follow("kept")
    status = run["status"]
    assert status["state"] == "Succeeded", status
    assert [each["stage"] for each in status["attempts"]] == ["rehearse", "blend", "train"]
    (source,) = status["rehearsal"]["sources"]
    rows = Workspace(namespace.folder("kept")).rehearsed("world")
    assert rows.stat().st_uid == USER
    assert len([json.loads(line) for line in rows.read_text().splitlines()]) == source["rows"] > 0
    assert status["rehearsalSeconds"] > 0
