"""Gangs of Kubernetes itself: an Indexed Job, and a headless Service by which its pods find each other."""

from __future__ import annotations

from dataclasses import replace

from blendtune_api.v1alpha1 import BlendedFineTune, Stage
from blendtune_operator import names
from blendtune_operator.gang.backend import GangAttempt, pod_spec
from blendtune_operator.names import Kind, Object


class JobGang:
    kind = Kind.JOB
    installed_by = "Kubernetes"
    index_label = names.COMPLETION_INDEX
    container = names.TRAIN_CONTAINER
    makes = ()

    def rank_0(self, run: str, attempt: int) -> str:
        """The host name of a pod of an Indexed Job is the Job's name with the index."""
        return f"{pod_host(run, attempt, 0)}.{names.training_service(run)}"

    def objects(self, attempt: GangAttempt) -> tuple[Object, ...]:
        return headless_service(attempt.run), self._job(attempt)

    def _job(self, attempt: GangAttempt) -> Object:
        subdomain = names.training_service(attempt.run.metadata.name)
        template = {**attempt.template, "spec": {**pod_spec(attempt.template), "subdomain": subdomain}}
        return {
            "apiVersion": self.kind.api_version,
            "kind": self.kind.value,
            "metadata": attempt.metadata,
            "spec": {**attempt.suspension, **indexed_job_spec(replace(attempt, template=template))},
        }


def indexed_job_spec(attempt: GangAttempt) -> Object:
    """A pod that fails or is deleted fails the Job, which then deletes the others.

    A Job that a queue admits again starts no pod beside one that still saves its checkpoint. Elsewhere a pod
    that is deleted counts as failed at once: that of a lost node would never end by itself.
    """
    once_ended = {"podReplacementPolicy": "Failed"} if attempt.queue_name else {}
    return {
        "completionMode": "Indexed",
        "completions": attempt.nodes,
        "parallelism": attempt.nodes,
        "backoffLimit": 0,
        **once_ended,
        "template": attempt.template,
    }


def pod_host(run: str, attempt: int, index: int) -> str:
    return f"{names.training(run, attempt)}-{index}"


def headless_service(run: BlendedFineTune) -> Object:
    """The Service of the pods of all attempts. It names rank 0 as soon as it has an address, ready or not."""
    return {
        "apiVersion": Kind.SERVICE.api_version,
        "kind": Kind.SERVICE.value,
        "metadata": names.metadata(run, names.training_service(run.metadata.name), Stage.TRAIN),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {names.OWNER_UID: run.metadata.uid, names.STAGE: Stage.TRAIN.value},
        },
    }
