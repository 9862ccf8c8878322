"""Gangs of Kubeflow's training operator: a PyTorchJob of Worker pods only (docs/design/0004)."""

from __future__ import annotations

from blendtune_operator import names
from blendtune_operator.gang.backend import GangAttempt
from blendtune_operator.names import Kind, Object


class PyTorchJobGang:
    kind = Kind.PYTORCH_JOB
    installed_by = "the Kubeflow training operator"
    index_label = names.REPLICA_INDEX
    container = names.TRAIN_CONTAINER  # required by the training operator
    makes = ()

    def rank_0(self, run: str, attempt: int) -> str:
        """The training operator makes a headless Service for each pod."""
        return worker_host(run, attempt, 0)

    def objects(self, attempt: GangAttempt) -> tuple[Object, ...]:
        worker = {"replicas": attempt.nodes, "restartPolicy": "Never", "template": attempt.template}
        return (
            {
                "apiVersion": self.kind.api_version,
                "kind": self.kind.value,
                "metadata": attempt.metadata,
                "spec": {
                    "runPolicy": {"cleanPodPolicy": "Running", **attempt.suspension},
                    "pytorchReplicaSpecs": {"Worker": worker},
                },
            },
        )


def worker_host(run: str, attempt: int, index: int) -> str:
    return f"{names.training(run, attempt)}-worker-{index}"
