"""What a test looks at in rendered children."""

from __future__ import annotations

from typing import Any

from blendtune_api.v1alpha1 import (
    Judge,
    JudgeKind,
    OpenAIJudge,
)
from blendtune_operator import render
from blendtune_operator.names import Kind, Object, Run
from blendtune_operator.settings import Settings

SETTINGS = Settings()


def children(run: Run) -> dict[str, Object]:
    """The rendered children by kind; for Jobs by name."""
    rendered = render.children(run, SETTINGS)
    return {
        child["metadata"]["name"] if child["kind"] == Kind.JOB else child["kind"]: child for child in rendered
    }


def pod_spec(child: Object) -> Object:
    template = child["spec"].get("template") or child["spec"]["pytorchReplicaSpecs"]["Worker"]["template"]
    spec: Object = template["spec"]
    return spec


def pods(run: Run) -> list[Object]:
    return [
        pod_spec(child)
        for child in render.children(run, SETTINGS)
        if child["kind"] in (Kind.JOB, Kind.PYTORCH_JOB)
    ]


def env(container: Object) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def mounts(container: Object) -> dict[str, bool]:
    return {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}


def openai(judge: OpenAIJudge) -> Judge:
    return Judge(kind=JudgeKind.OPENAI, open_ai=judge)
