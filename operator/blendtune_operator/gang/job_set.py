"""Gangs of the JobSet controller: a JobSet of one Indexed Job, whose Service it makes itself."""

from __future__ import annotations

from collections.abc import Mapping

from blendtune_api.v1alpha1 import Stage
from blendtune_operator import names
from blendtune_operator.gang.backend import GangAttempt
from blendtune_operator.gang.job import indexed_job_spec
from blendtune_operator.names import Kind, Object

REPLICATED_JOB = "node"


class JobSetGang:
    kind = Kind.JOB_SET
    installed_by = "JobSet"
    index_label = names.COMPLETION_INDEX
    container = names.TRAIN_CONTAINER
    makes = (Kind.JOB,)

    def rank_0(self, run: str, attempt: int) -> str:
        return pod_host(run, attempt, 0)

    def objects(self, attempt: GangAttempt) -> tuple[Object, ...]:
        return (
            {
                "apiVersion": self.kind.api_version,
                "kind": self.kind.value,
                "metadata": attempt.metadata,
                "spec": {**attempt.suspension, **job_set_spec(attempt)},
            },
        )


def job_set_spec(attempt: GangAttempt, labels: Mapping[str, str] | None = None) -> Object:
    """One Indexed Job, with more `labels`. Without a failure policy the set fails when the Job does."""
    own = names.labels(attempt.run, Stage.TRAIN, attempt.number)
    template = {"metadata": {"labels": {**own, **(labels or {})}}, "spec": indexed_job_spec(attempt)}
    return {
        "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
        "replicatedJobs": [{"name": REPLICATED_JOB, "replicas": 1, "template": template}],
    }


def pod_host(run: str, attempt: int, index: int) -> str:
    """The host name of a pod of the only Job, below the Service that is named after the set."""
    name = names.training(run, attempt)
    return f"{name}-{REPLICATED_JOB}-0-{index}.{name}"
