"""One situation: how it is made, and what is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.cluster.situations.steps import Step
from tests.operator.builders import self_blend

from blendtune_api.v1alpha1 import (
    Cluster,
    ConditionType,
    Reason,
    StagePod,
    State,
)


class Peers(Enum):
    """What else is installed in the cluster."""

    ALL_GANGS = "the kinds of all gangs"
    KUEUE = "Kueue's kinds too"
    NO_TRAINING_OPERATOR = "no PyTorchJob"


@dataclass(frozen=True, kw_only=True)
class Situation:
    """`before` is done before the run is applied, `then` after it. The pods of `stage` are left to them.

    `message` and `reason` are those of `condition`, with a pod's random suffix as abcde.
    """

    title: str
    shown: str  # what `kubectl get bft` has in the column State
    reason: Reason
    message: str
    stage: str = "blend"
    condition: ConditionType = ConditionType.DATA_BLENDED
    spec: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[Step, ...] = ()
    then: tuple[Step, ...] = ()
    peers: Peers = Peers.ALL_GANGS
    gangs: bool = True  # whether the controllers of gangs run


@dataclass(frozen=True, kw_only=True)
class Group:
    title: str
    situations: tuple[Situation, ...]


TRAIN: Mapping[str, Any] = {"stage": "train", "condition": ConditionType.TRAINING_SUCCEEDED}
EVAL: Mapping[str, Any] = {"stage": "eval", "condition": ConditionType.EVALUATION_SUCCEEDED}
REHEARSE: Mapping[str, Any] = {
    "stage": "rehearse",
    "condition": ConditionType.DATA_REHEARSED,
    "spec": {"blend": self_blend()},
}
ACCEPTED: Mapping[str, Any] = {"condition": ConditionType.ACCEPTED}
QUEUED: Mapping[str, Any] = {
    "spec": {"cluster": Cluster(nodes=2, gpus_per_node=1, queue_name="gpus")},
    "peers": Peers.KUEUE,
    "shown": State.QUEUED,
    "reason": Reason.QUEUED,
}
STARTING: Mapping[str, Any] = {"shown": State.BLENDING, "reason": Reason.STARTING}
NO_IMAGE: Mapping[str, Any] = {"shown": State.BLENDING, "reason": Reason.IMAGE_PULL_FAILED}
NO_NODE: Mapping[str, Any] = {"shown": State.QUEUED, "reason": Reason.UNSCHEDULABLE}
NO_POD: Mapping[str, Any] = {"shown": State.BLENDING, "reason": Reason.CHILD_REFUSED}
NOT_MADE: Mapping[str, Any] = {"shown": State.PENDING, "reason": Reason.CHILD_REFUSED, **ACCEPTED}


def blend_pod(**pod: Any) -> Mapping[str, Any]:
    """A spec whose blend pod is changed."""
    return {"cluster": Cluster(nodes=2, gpus_per_node=1, blend=StagePod(**pod))}


def pod_spec(**spec: Any) -> Mapping[str, Any]:
    return blend_pod(pod_template={"spec": spec})
