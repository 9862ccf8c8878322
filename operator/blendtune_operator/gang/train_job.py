"""Gangs of Kubeflow Trainer 2: a TrainJob, and a TrainingRuntime of its own that holds the pod template."""

from __future__ import annotations

from blendtune_api.v1alpha1 import Stage
from blendtune_operator import names
from blendtune_operator.gang.backend import GangAttempt
from blendtune_operator.gang.job_set import job_set_spec, pod_host
from blendtune_operator.names import Kind, Object

_STEP = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}


class TrainJobGang:
    kind = Kind.TRAIN_JOB
    installed_by = "Kubeflow Trainer 2"
    index_label = names.COMPLETION_INDEX
    container = "node"  # required by the Trainer
    makes = (Kind.JOB_SET, Kind.JOB)

    def rank_0(self, run: str, attempt: int) -> str:
        """The Trainer makes a JobSet of the TrainJob's name."""
        return pod_host(run, attempt, 0)

    def objects(self, attempt: GangAttempt) -> tuple[Object, ...]:
        runtime = {
            "apiVersion": Kind.TRAINING_RUNTIME.api_version,
            "kind": Kind.TRAINING_RUNTIME.value,
            "metadata": names.metadata(attempt.run, attempt.name, Stage.TRAIN, attempt.number),
            "spec": {
                "mlPolicy": {"numNodes": attempt.nodes},
                "template": {
                    "metadata": {"labels": names.labels(attempt.run, Stage.TRAIN, attempt.number)},
                    "spec": job_set_spec(attempt, _STEP),
                },
            },
        }
        job = {
            "apiVersion": self.kind.api_version,
            "kind": self.kind.value,
            "metadata": attempt.metadata,
            "spec": {
                **attempt.suspension,
                "runtimeRef": {
                    "apiGroup": Kind.TRAINING_RUNTIME.api_version.partition("/")[0],
                    "kind": Kind.TRAINING_RUNTIME.value,
                    "name": attempt.name,
                },
            },
        }
        return runtime, job
