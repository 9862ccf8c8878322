"""A Job that is one attempt of a stage: it never retries, because the operator does."""

from __future__ import annotations

from blendtune_api.contract import ExitCode
from blendtune_api.v1alpha1 import Stage
from blendtune_operator import names
from blendtune_operator.names import Kind, Object, Run

PERMANENT_EXIT_CODES = [code for code in range(256) if ExitCode.is_permanent(code)]


def job(run: Run, name: str, stage: Stage, attempt: int, template: Object, queue_name: str = "") -> Object:
    """A Job of one pod. A permanent exit code fails it; a disrupted pod is replaced by the Job itself.

    With a queue it is created suspended: what admits it starts it, and nothing runs past its quota.
    """
    labels = {names.QUEUE_NAME: queue_name} if queue_name else {}
    return {
        "apiVersion": Kind.JOB.api_version,
        "kind": Kind.JOB.value,
        "metadata": names.metadata(run, name, stage, attempt, labels),
        "spec": {
            **({"suspend": True} if queue_name else {}),
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": "FailJob", "onExitCodes": {"operator": "In", "values": PERMANENT_EXIT_CODES}},
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                ]
            },
            "template": template,
        },
    }
