"""The training: one attempt of the whole gang, whose pods are alike whatever makes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from math import ceil

from blendtune_api.contract import Env, RunConfig
from blendtune_api.v1alpha1 import BlendedFineTune, Stage, Tracker, Training
from blendtune_operator import names
from blendtune_operator.gang import BACKENDS, Backend, GangAttempt
from blendtune_operator.gang.backend import pod_spec
from blendtune_operator.names import Object
from blendtune_operator.render import pod
from blendtune_operator.render.config import Pinned
from blendtune_operator.render.uris import export_uris, is_remote, mounted_claims, train_uris
from blendtune_operator.settings import Settings

SAVE_SECONDS = "saveSeconds"  # metric of status.trainerStatus: the longest time that a checkpoint took
_CURRENT_STEP = timedelta(minutes=1)
_LONGEST_GRACE = 2**31  # seconds


def training(
    run: BlendedFineTune, pinned: Pinned[RunConfig], attempt: int, settings: Settings
) -> tuple[Object, ...]:
    """What the backend of the pinned gang makes of the attempt, in the order in which to create it."""
    backend, cluster = BACKENDS[pinned.config.gang], pinned.config.spec.cluster
    gang = GangAttempt(
        run=run,
        number=attempt,
        nodes=cluster.nodes,
        queue_name=cluster.queue_name,
        template=_named(_template(run, pinned, attempt, settings, backend), backend.container),
    )
    return backend.objects(gang)


def _named(template: Object, name: str) -> Object:
    """With the name that the backend wants of the container that trains. A podTemplate names it pytorch."""
    spec = pod_spec(template)
    containers = spec.get("containers")
    if name == names.TRAIN_CONTAINER or not isinstance(containers, list):
        return template
    trains = [isinstance(item, Mapping) and item.get("name") == names.TRAIN_CONTAINER for item in containers]
    renamed = [{**item, "name": name} if own else item for item, own in zip(containers, trains, strict=True)]
    return {**template, "spec": {**spec, "containers": renamed}}


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
    run: BlendedFineTune, pinned: Pinned[RunConfig], attempt: int, settings: Settings, backend: Backend
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
        platform_user=settings.platform_user,
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
                "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{backend.index_label}']"}},
            },
            pod.variable(Env.MASTER_ADDR, backend.rank_0(run.metadata.name, attempt)),
            pod.variable(Env.MASTER_PORT, names.RENDEZVOUS_PORT),
            pod.variable(Env.METRICS_PORT, names.METRICS_PORT),
        ],
    )
    container["ports"] = [
        {"name": names.RENDEZVOUS_PORT_NAME, "containerPort": names.RENDEZVOUS_PORT},
        {"name": names.METRICS_PORT_NAME, "containerPort": names.METRICS_PORT},
    ]
    return pod.template(context, cluster.train, [pod.main_container(context, cluster.train, container)])
