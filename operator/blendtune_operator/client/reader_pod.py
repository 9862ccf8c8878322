"""The pod that reads a claim for a person: read-only, unprivileged, and short-lived."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from blendtune_operator.client.faults import ClientError
from blendtune_operator.names import Object
from blendtune_operator.plan.children import is_live
from blendtune_operator.render.pod import NO_SIDECARS, USER_ID, container_security

CONTAINER = "reader"
CLAIM_FOLDER = "/claim"
LABELS = {"app.kubernetes.io/name": "blendtune", "app.kubernetes.io/component": "reader"}
SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())
_SHARED = ("ReadWriteMany", "ReadOnlyMany")
_ONE_POD = "ReadWriteOncePod"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the reader must run: on a node that has the claim, tolerating what its pods tolerate."""

    node: str = ""  # empty: anywhere
    tolerations: tuple[Object, ...] = ()


def place_of(claim: Object, pods: Iterable[Object]) -> Place:
    """Where a reader can mount the claim beside the pods of its namespace that have it mounted.

    Raises ClientError for a claim that one pod has for itself alone.
    """
    name, modes = claim["metadata"]["name"], claim["spec"].get("accessModes") or []
    if any(mode in modes for mode in _SHARED):
        return Place()
    holders = [pod for pod in pods if _mounts(pod, name) and is_live(pod)]
    if not holders:
        return Place()
    pod = holders[0]
    if _ONE_POD in modes:
        raise ClientError(
            f"claim {name} can be mounted by one pod at a time ({_ONE_POD}), and {pod['metadata']['name']} "
            "has it: try again when that pod has ended"
        )
    return Place(pod["spec"].get("nodeName") or "", tuple(pod["spec"].get("tolerations") or ()))


def user_of(jobs: Sequence[Object]) -> Mapping[str, int]:
    """User and group of a run's own pods, who may read its files; none where the platform chooses them."""
    if not jobs:
        return {"runAsUser": USER_ID, "runAsGroup": USER_ID}
    security = jobs[0]["spec"]["template"]["spec"].get("securityContext") or {}
    return {key: security[key] for key in ("runAsUser", "runAsGroup") if key in security}


def reader_pod(
    owner: Object,
    claim: str,
    image: str,
    place: Place,
    user: Mapping[str, int],
    seconds: int,
    service_account: str | None = None,
) -> Object:
    """A pod that sleeps, of Pod Security `restricted`, and is deleted with its owner.

    It lives for at most `seconds`, even if nobody deletes it. Without fsGroup no file's owner is changed.
    """
    spec: Object = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": seconds,
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            **user,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": CONTAINER,
                "image": image,
                "command": ["sleep", str(seconds)],
                "resources": {
                    "requests": {"cpu": "10m", "memory": "32Mi"},
                    "limits": {"cpu": "1", "memory": "256Mi"},
                },
                "securityContext": container_security(),
                "volumeMounts": [{"name": "claim", "mountPath": CLAIM_FOLDER, "readOnly": True}],
            }
        ],
        "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}],
    }
    if service_account:
        spec["serviceAccountName"] = service_account
    if place.node:
        spec["affinity"] = {"nodeAffinity": _only_on(place.node)}
        spec["tolerations"] = list(place.tolerations)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{owner['metadata']['name']}-reader-{secrets.token_hex(3)}",
            "namespace": owner["metadata"]["namespace"],
            "labels": LABELS | NO_SIDECARS,
            "ownerReferences": [
                {key: owner[key] for key in ("apiVersion", "kind")}
                | {key: owner["metadata"][key] for key in ("name", "uid")}
            ],
        },
        "spec": spec,
    }


def _only_on(node: str) -> Object:
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [field]}]}
    }


def _mounts(pod: Object, claim: str) -> bool:
    volumes: Sequence[Object] = pod["spec"].get("volumes") or []
    return any((volume.get("persistentVolumeClaim") or {}).get("claimName") == claim for volume in volumes)
