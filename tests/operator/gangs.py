"""How tests look into the object of an attempt, whichever gang it is."""

from __future__ import annotations

from collections.abc import Iterable

from blendtune_operator import names
from blendtune_operator.names import Kind, Object


def policy(job: Object) -> Object:
    """Where it says that it is suspended."""
    found: Object = job["spec"]["runPolicy"] if job["kind"] == Kind.PYTORCH_JOB else job["spec"]
    return found


def pods_of(job: Object, others: Iterable[Object] = ()) -> tuple[int, Object, str]:
    """How many pods it has, their template, and the label in which each has its index.

    `others` are objects among which is the TrainingRuntime of a TrainJob.
    """
    if job["kind"] == Kind.PYTORCH_JOB:
        worker = job["spec"]["pytorchReplicaSpecs"]["Worker"]
        return worker["replicas"], worker["template"], names.REPLICA_INDEX
    spec = indexed_job(job, others)["spec"]
    return spec.get("completions", 1), spec["template"], names.COMPLETION_INDEX


def indexed_job(job: Object, others: Iterable[Object] = ()) -> Object:
    """The Job, or the template of the Job that is made for it."""
    if job["kind"] == Kind.JOB:
        return job
    spec = job["spec"] if job["kind"] == Kind.JOB_SET else runtime_of(job, others)["template"]["spec"]
    (replicated,) = spec["replicatedJobs"]
    template: Object = replicated["template"]
    return template


def runtime_of(job: Object, others: Iterable[Object]) -> Object:
    """The spec of the TrainingRuntime that a TrainJob refers to."""
    name = job["spec"]["runtimeRef"]["name"]
    found = (
        obj["spec"]
        for obj in others
        if (obj["kind"], obj["metadata"]["name"]) == (Kind.TRAINING_RUNTIME, name)
    )
    return next(found)


def success(job: Object) -> str:
    """The type of the condition with which it succeeds."""
    return {Kind.PYTORCH_JOB: "Succeeded", Kind.JOB_SET: "Completed"}.get(Kind(job["kind"]), "Complete")


def makes_a_job(job: Object) -> bool:
    """Whether its pods belong to a Job that its controller makes for it."""
    return job["kind"] in (Kind.JOB_SET, Kind.TRAIN_JOB)
