"""The PyTorchJob: one attempt of the whole gang, Worker pods only, which succeeds when all of them do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import ceil

from blendtune_api.contract import Env, RunConfig
from blendtune_api.v1alpha1 import BlendedFineTune, Stage, Tracker, Training
from blendtune_operator import names
from blendtune_operator.names import Kind, Object
from blendtune_operator.render import pod
from blendtune_operator.render.config import Pinned
from blendtune_operator.render.uris import export_uris, is_remote, mounted_claims, train_uris
from blendtune_operator.settings import Settings

SAVE_SECONDS = "saveSeconds"  # metric of status.trainerStatus: the longest time that a checkpoint took
_CURRENT_STEP = timedelta(minutes=1)
_LONGEST_GRACE = 2**31  # seconds


def train_job(run: BlendedFineTune, pinned: Pinned[RunConfig], attempt: int, settings: Settings) -> Object:
    cluster = pinned.config.spec.cluster
    name = names.train_job(run.metadata.name, attempt)
    labels = {names.QUEUE_NAME: cluster.queue_name} if cluster.queue_name else {}
    return {
        "apiVersion": Kind.PYTORCH_JOB.api_version,
        "kind": Kind.PYTORCH_JOB.value,
        "metadata": names.metadata(run, name, Stage.TRAIN, attempt, labels),
        "spec": {
            # With a queue it is created suspended: nothing runs past the quota that the queue keeps.
            "runPolicy": {"cleanPodPolicy": "Running", **({"suspend": True} if cluster.queue_name else {})},
            "pytorchReplicaSpecs": {
                "Worker": {
                    "replicas": cluster.nodes,
                    "restartPolicy": "Never",
                    "template": _template(run, pinned, attempt, settings, name),
                }
            },
        },
    }


def grace_period(run: BlendedFineTune, settings: Settings) -> timedelta:
    """The time from SIGTERM to SIGKILL: that of the user's pod template where it sets one.

    Else the longer of the operator's setting and what the current step and a checkpoint need: one minute, and
    twice the time of the slowest checkpoint that the run has reported.
    """
    pod_spec = run.spec.cluster.train.pod_template.get("spec")
    seconds = pod_spec.get("terminationGracePeriodSeconds") if isinstance(pod_spec, Mapping) else None
    if isinstance(seconds, int) and 0 <= seconds <= _LONGEST_GRACE:  # another is the API server's to refuse
        return timedelta(seconds=seconds)
    metrics = run.status.trainer_status.metrics if run.status.trainer_status else ()
    saves = [float(metric.value) for metric in metrics if metric.name == SAVE_SECONDS]
    needed = (timedelta(seconds=ceil(2 * slowest)) + _CURRENT_STEP for slowest in saves)
    return max([settings.grace_period, *needed])


def _uses_tracking_server(training: Training) -> bool:
    """Whether a tracker may need the address and key of its server from the credentials."""
    return any(tracker is not Tracker.TENSORBOARD for tracker in training.tracking)


def _template(
    run: BlendedFineTune, pinned: Pinned[RunConfig], attempt: int, settings: Settings, name: str
) -> Object:
    spec = pinned.config.spec
    cluster = spec.cluster
    uris, exports = train_uris(spec), export_uris(spec)
    context = pod.PodContext(
        run=run,
        stage=Stage.TRAIN,
        attempt=attempt,
        config_map=names.run_config(run.metadata.name, pinned.revision),
        config_digest=pinned.digest,
        claims=mounted_claims(spec.storage, uris, exports),
        credentials=spec.credentials,
        with_secret=any(map(is_remote, exports)) or _uses_tracking_server(spec.training),
        grace_period=grace_period(run, settings),
        devices=pod.Devices(preset=pinned.config.gpu, count=cluster.gpus_per_node),
        shared_memory=True,
    )
    container = pod.container(
        context,
        names.TRAIN_CONTAINER,
        cluster.train.image or pinned.config.images[Stage.TRAIN],
        ["python", "-m", "blendtune_trainer", "launch"],
        env=[
            pod.variable(Env.NODES, cluster.nodes),
            pod.variable(Env.RANKS_PER_NODE, cluster.gpus_per_node),
            {
                "name": Env.NODE_RANK.value,
                "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{names.REPLICA_INDEX}']"}},
            },
            pod.variable(Env.MASTER_ADDR, names.worker_host(name)),
            pod.variable(Env.MASTER_PORT, names.RENDEZVOUS_PORT),
            pod.variable(Env.METRICS_PORT, names.METRICS_PORT),
        ],
    )
    container["ports"] = [
        {"name": names.RENDEZVOUS_PORT_NAME, "containerPort": names.RENDEZVOUS_PORT},
        {"name": names.METRICS_PORT_NAME, "containerPort": names.METRICS_PORT},
    ]
    return pod.template(context, cluster.train, [pod.main_container(context, cluster.train, container)])
