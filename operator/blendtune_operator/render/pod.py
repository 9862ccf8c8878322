"""The building blocks of every pod: unprivileged, with a read-only root file system and mounted volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from blendtune_api.contract import CONFIG_FILE, RUBRIC_FILE, Env, GpuPreset
from blendtune_api.v1alpha1 import Credentials, KeySelector, Stage, StagePod
from blendtune_operator import names
from blendtune_operator.names import Object, Run
from blendtune_operator.render.merge import merge

USER_ID = 65532  # not root; the images are built for the same one
TERMINATION_LOG = "/dev/termination-log"
# A sidecar that is not native never ends, and holds the GPUs of a pod that has done its work.
NO_SIDECARS = {"sidecar.istio.io/inject": "false"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Devices:
    """The accelerators of one pod; none when the preset has no resource or the count is 0."""

    preset: GpuPreset
    count: int

    @property
    def present(self) -> bool:
        return self.preset.is_gpu and self.count > 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PodContext:
    """What the containers of one pod have in common.

    `config_digest` is that of the pinned configuration in `config_map`: whoever may write ConfigMaps may
    replace it before a pod mounts it. `claims` maps the name of each mounted PersistentVolumeClaim to whether
    it is read-only. `with_secret` gives the containers the Secret of `credentials` as environment variables.
    `platform_user` leaves user, group and fsGroup to the platform.
    """

    run: Run
    stage: Stage
    attempt: int
    config_map: str
    config_digest: str
    claims: Mapping[str, bool]
    credentials: Credentials
    with_secret: bool
    grace_period: timedelta
    platform_user: bool = False
    rubric: KeySelector | None = None
    devices: Devices | None = None
    shared_memory: bool = False


def container(
    context: PodContext, name: str, image: str, command: Sequence[str], env: Sequence[Object] = ()
) -> Object:
    """A container of the pod, without devices or resources."""
    result: Object = {
        "name": name,
        "image": image,
        "command": list(command),
        "env": [*_common_env(context), *env],
        "volumeMounts": _mounts(context),
        "securityContext": container_security(),
        "terminationMessagePath": TERMINATION_LOG,
        "terminationMessagePolicy": "File",
    }
    if context.with_secret and context.credentials.secret_ref is not None:
        result["envFrom"] = [{"secretRef": {"name": context.credentials.secret_ref.name}}]
    return result


def main_container(context: PodContext, user: StagePod, base: Object) -> Object:
    """The container `base` with the devices of the pod and the user's resources."""
    devices = context.devices
    resources: Object = {}
    if devices is not None and devices.present:
        resources = {"limits": {devices.preset.resource_name: devices.count}}
    resources = merge(resources, user.resources)
    return {**base, "resources": resources} if resources else base


def template(
    context: PodContext, user: StagePod, containers: Sequence[Object], init_containers: Sequence[Object] = ()
) -> Object:
    """The pod template, with the user's partial template merged over all of it but the operator's labels."""
    labels = names.labels(context.run, context.stage, context.attempt)
    spec: Object = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": grace_seconds(context),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": _pod_security(context.platform_user),
        "containers": list(containers),
        "volumes": _volumes(context),
    }
    if init_containers:
        spec["initContainers"] = list(init_containers)
    if context.credentials.service_account_name:
        spec["serviceAccountName"] = context.credentials.service_account_name
    devices = context.devices
    if devices is not None and devices.present:
        spec["nodeSelector"] = dict(devices.preset.node_selector)
        spec["tolerations"] = [dict(toleration) for toleration in devices.preset.tolerations]
    base = {"metadata": {"labels": {**NO_SIDECARS, **labels}}, "spec": spec}
    merged: Object = merge(base, user.pod_template)
    return merge(merged, {"metadata": {"labels": labels}})  # type: ignore[no-any-return]


def variable(name: Env, value: object) -> Object:
    return {"name": name.value, "value": str(value)}


def secret_variable(name: Env, secret: KeySelector) -> Object:
    """A variable that the kubelet sets from a Secret; the operator never reads it."""
    return {"name": name.value, "valueFrom": {"secretKeyRef": {"name": secret.name, "key": secret.key}}}


def grace_seconds(context: PodContext) -> int:
    return round(context.grace_period.total_seconds())


def _common_env(context: PodContext) -> list[Object]:
    env = [
        variable(Env.CONFIG, f"{names.CONFIG_FOLDER}/{CONFIG_FILE}"),
        variable(Env.CONFIG_DIGEST, context.config_digest),
        variable(Env.CLAIMS, names.CLAIMS_FOLDER),
        variable(Env.TERMINATION_LOG, TERMINATION_LOG),
        variable(Env.ATTEMPT, context.attempt),
        variable(Env.GRACE_SECONDS, grace_seconds(context)),
        {"name": "HOME", "value": "/tmp"},
        {"name": "HF_HOME", "value": "/tmp/huggingface"},
        {"name": "PYTHONUNBUFFERED", "value": "1"},
    ]
    if context.rubric is not None:
        env.append(variable(Env.RUBRIC, f"{names.RUBRIC_FOLDER}/{RUBRIC_FILE}"))
    return env


def _mounts(context: PodContext) -> list[Object]:
    mounts: list[Object] = [
        {"name": "config", "mountPath": names.CONFIG_FOLDER, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    if context.shared_memory:
        mounts.append({"name": "shared-memory", "mountPath": "/dev/shm"})
    if context.rubric is not None:
        mounts.append({"name": "rubric", "mountPath": names.RUBRIC_FOLDER, "readOnly": True})
    for index, (claim, read_only) in enumerate(sorted(context.claims.items())):
        mount: Object = {"name": _volume_of(index), "mountPath": f"{names.CLAIMS_FOLDER}/{claim}"}
        mounts.append({**mount, "readOnly": True} if read_only else mount)
    return mounts


def _volumes(context: PodContext) -> list[Object]:
    volumes: list[Object] = [
        {"name": "config", "configMap": {"name": context.config_map}},
        {"name": "tmp", "emptyDir": {}},
    ]
    if context.shared_memory:
        volumes.append({"name": "shared-memory", "emptyDir": {"medium": "Memory"}})
    if context.rubric is not None:
        items = [{"key": context.rubric.key, "path": RUBRIC_FILE}]
        volumes.append({"name": "rubric", "configMap": {"name": context.rubric.name, "items": items}})
    return volumes + [
        {"name": _volume_of(index), "persistentVolumeClaim": {"claimName": claim}}
        for index, claim in enumerate(sorted(context.claims))
    ]


def _volume_of(index: int) -> str:
    """The name of a volume. That of its claim, with a prefix, could be too long for one."""
    return f"claim-{index}"


def _pod_security(platform_user: bool) -> Object:
    """What the Pod Security Standard "restricted" requires of a pod; the group owns the workspace.

    OpenShift gives each namespace a range of users and groups, and refuses pods that name another.
    """
    own = {} if platform_user else {"runAsUser": USER_ID, "runAsGroup": USER_ID, "fsGroup": USER_ID}
    return {
        "runAsNonRoot": True,
        **own,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Object:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
