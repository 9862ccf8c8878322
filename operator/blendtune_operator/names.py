"""Every name, label and owner reference that Blendtune gives to an object."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from blendtune_api.blend_study import BlendStudy
from blendtune_api.v1alpha1 import API_VERSION, GROUP, BlendedFineTune, Gang, RubricEval, Stage

Object = dict[str, Any]  # a Kubernetes object as the API server shows it
Run = BlendedFineTune | RubricEval
Parent = Run | BlendStudy


class Kind(StrEnum):
    """The kinds of objects that the operator reads or writes."""

    BLENDED_FINE_TUNE = "BlendedFineTune"
    RUBRIC_EVAL = "RubricEval"
    BLEND_STUDY = "BlendStudy"
    CONFIG_MAP = "ConfigMap"
    JOB = "Job"
    PYTORCH_JOB = "PyTorchJob"
    TRAIN_JOB = "TrainJob"
    TRAINING_RUNTIME = "TrainingRuntime"  # the template of a TrainJob
    JOB_SET = "JobSet"
    SERVICE = "Service"
    POD = "Pod"
    WORKLOAD = "Workload"  # with which Kueue queues a Job

    @property
    def api_version(self) -> str:
        return _API_VERSIONS[self]

    @property
    def plural(self) -> str:
        """As it stands in URLs, and in RBAC rules."""
        return "blendstudies" if self is Kind.BLEND_STUDY else f"{self.lower()}s"

    def path(self, namespace: str | None, name: str = "") -> str:
        """The URL path of an object, or of all in a namespace, or of all in the cluster."""
        root = "/api" if "/" not in self.api_version else "/apis"
        place = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}/{self.api_version}{place}/{self.plural}" + (f"/{name}" if name else "")


_API_VERSIONS = {
    Kind.BLENDED_FINE_TUNE: API_VERSION,
    Kind.RUBRIC_EVAL: API_VERSION,
    Kind.BLEND_STUDY: API_VERSION,
    Kind.CONFIG_MAP: "v1",
    Kind.JOB: "batch/v1",
    Kind.PYTORCH_JOB: "kubeflow.org/v1",
    Kind.TRAIN_JOB: "trainer.kubeflow.org/v1alpha1",
    Kind.TRAINING_RUNTIME: "trainer.kubeflow.org/v1alpha1",
    Kind.JOB_SET: "jobset.x-k8s.io/v1alpha2",
    Kind.SERVICE: "v1",
    Kind.POD: "v1",
    Kind.WORKLOAD: "kueue.x-k8s.io/v1beta2",
}
PARENT_KINDS = (Kind.BLENDED_FINE_TUNE, Kind.RUBRIC_EVAL, Kind.BLEND_STUDY)
ATTEMPT_KINDS = (Kind.JOB, Kind.PYTORCH_JOB, Kind.TRAIN_JOB, Kind.JOB_SET)  # one is one attempt of a stage
CHILD_KINDS = (
    Kind.CONFIG_MAP,
    Kind.SERVICE,
    Kind.TRAINING_RUNTIME,
    *ATTEMPT_KINDS,
    Kind.RUBRIC_EVAL,
    Kind.BLENDED_FINE_TUNE,
)

FIELD_MANAGER = "blendtune"
OWNER_UID = f"{GROUP}/owner-uid"  # on every child and its pods: the UID of the object that they belong to
STAGE = f"{GROUP}/stage"
ATTEMPT = f"{GROUP}/attempt"
REVISION = f"{GROUP}/revision"  # of the pinned configuration
# What the pods of a gang are numbered by: the label of the training operator, and that of an Indexed Job.
REPLICA_INDEX = "training.kubeflow.org/replica-index"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
QUEUE_NAME = "kueue.x-k8s.io/queue-name"
WORKLOAD_JOB_UID = "kueue.x-k8s.io/job-uid"  # set by Kueue on a Workload

TRAIN_CONTAINER = "pytorch"  # as a podTemplate names it
RENDEZVOUS_PORT_NAME = "pytorchjob-port"
RENDEZVOUS_PORT = 23456
METRICS_PORT_NAME = "metrics"
METRICS_PORT = 8080


CLAIMS_FOLDER = "/claims"
CONFIG_FOLDER = "/etc/blendtune"
RUBRIC_FOLDER = "/etc/blendtune-rubric"


def run_config(run: str, revision: int = 1) -> str:
    """The ConfigMap of the pinned run. A change of `cluster` or `credentials` makes a new revision of it."""
    return _numbered(f"{run}-run", revision)


def rehearse_job(run: str, attempt: int = 1) -> str:
    return _numbered(f"{run}-rehearse", attempt)


def blend_job(run: str, attempt: int = 1) -> str:
    return _numbered(f"{run}-blend", attempt)


def training(run: str, attempt: int) -> str:
    return f"{run}-train-{attempt}"


def training_service(run: str) -> str:
    """The headless Service by whose name the pods of a Job find each other."""
    return f"{run}-train"


def rubric_eval(run: str) -> str:
    return run


def eval_config(run: str, revision: int = 1) -> str:
    return _numbered(f"{run}-eval", revision)


def eval_job(run: str, attempt: int = 1) -> str:
    return _numbered(f"{run}-eval", attempt)


def attempt_child(run: str, stage: Stage, attempt: int, gang: Gang) -> tuple[Kind, str]:
    """Kind and name of the child that is one attempt of a stage. `gang` is what makes the training's pods."""
    match stage:
        case Stage.REHEARSE:
            return Kind.JOB, rehearse_job(run, attempt)
        case Stage.BLEND:
            return Kind.JOB, blend_job(run, attempt)
        case Stage.TRAIN:
            return Kind(gang.value), training(run, attempt)
        case Stage.EVAL:
            return Kind.JOB, eval_job(run, attempt)


def study_run(study: str, share: float, digest: str) -> str:
    """The BlendedFineTune of a study: the share in percent for people, the digest of all its values."""
    return f"{study}-{round(100 * share)}-{digest[:8]}"


def labels(run: Parent, stage: Stage | None = None, attempt: int | None = None) -> dict[str, str]:
    """The labels of a child, or of the pods of a child. Those of the parent are never copied."""
    result = {
        "app.kubernetes.io/name": "blendtune",
        "app.kubernetes.io/instance": run.metadata.name,
        "app.kubernetes.io/managed-by": "blendtune",
        OWNER_UID: run.metadata.uid,
    }
    if stage is not None:
        result |= {"app.kubernetes.io/component": stage.value, STAGE: stage.value}
    if attempt is not None:
        result[ATTEMPT] = str(attempt)
    return result


def metadata(
    run: Parent,
    name: str,
    stage: Stage | None = None,
    attempt: int | None = None,
    extra: Mapping[str, str] | None = None,
) -> Object:
    """The metadata of a child, with `extra` labels."""
    return {
        "name": name,
        "namespace": run.metadata.namespace,
        "labels": {**labels(run, stage, attempt), **(extra or {})},
        "ownerReferences": [owner_reference(run)],
    }


def owner_reference(run: Parent) -> Object:
    return {
        "apiVersion": API_VERSION,
        "kind": type(run).__name__,
        "name": run.metadata.name,
        "uid": run.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_owned_by(child: Mapping[str, Any], uid: str) -> bool:
    """Whether `uid` controls the child."""
    return controller_uid(child) == uid


def controller_uid(obj: Mapping[str, Any]) -> str:
    """The UID of what controls the object, by its own word; empty without one."""
    references = obj["metadata"].get("ownerReferences") or []
    return next((str(reference["uid"]) for reference in references if reference.get("controller")), "")


def number(obj: Mapping[str, Any], label: str) -> int | None:
    """The whole number in a label; None without one, or with other text: users may change any label."""
    text = (obj["metadata"].get("labels") or {}).get(label, "")
    return int(text) if text.isascii() and text.isdigit() else None


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
