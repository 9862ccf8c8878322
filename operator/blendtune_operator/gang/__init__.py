"""What makes the pods of a training attempt: one backend for each value of spec.cluster.gang but Auto."""

from __future__ import annotations

from collections.abc import Container, Mapping

from blendtune_api.v1alpha1 import Gang
from blendtune_operator.gang.backend import Backend, GangAttempt
from blendtune_operator.gang.job import JobGang
from blendtune_operator.gang.job_set import JobSetGang
from blendtune_operator.gang.pytorch_job import PyTorchJobGang
from blendtune_operator.gang.train_job import TrainJobGang
from blendtune_operator.names import Kind

__all__ = ["BACKENDS", "Backend", "GangAttempt", "choose"]

# In the order in which Auto takes the first that is served. Every API server serves the last.
BACKENDS: Mapping[Gang, Backend] = {
    Gang.PYTORCH_JOB: PyTorchJobGang(),
    Gang.TRAIN_JOB: TrainJobGang(),
    Gang.JOB_SET: JobSetGang(),
    Gang.JOB: JobGang(),
}


def choose(wanted: Gang, chosen: Gang | None, unserved: Container[Kind] = ()) -> Gang:
    """What makes the pods of the next attempt, by spec.cluster.gang; never Auto.

    Auto keeps what was `chosen` before, if anything was: attempts of a run are alike.
    """
    if wanted is not Gang.AUTO:
        return wanted
    return chosen or next(gang for gang, backend in BACKENDS.items() if backend.kind not in unserved)
