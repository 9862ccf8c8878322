"""What makes the pods of a training does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cluster.situations.situation import (
    ACCEPTED,
    TRAIN,
    Group,
    Peers,
    Situation,
)
from tests.cluster.situations.steps import (
    acts_on,
    quota,
    tells_of,
)

from blendtune_api.v1alpha1 import (
    Cluster,
    Gang,
    Reason,
    State,
)
from blendtune_operator.names import Kind


def _gang(gang: Gang) -> Mapping[str, Any]:
    return {"cluster": Cluster(nodes=2, gpus_per_node=1, gang=gang)}


GANGS = Group(
    title="What makes the pods of a training",
    situations=(
        Situation(
            title="Its kind is not installed",
            **ACCEPTED,
            shown=State.PENDING,
            reason=Reason.GANG_NOT_SERVED,
            spec=_gang(Gang.PYTORCH_JOB),
            peers=Peers.NO_TRAINING_OPERATOR,
            message="the API server knows no PyTorchJob: install the Kubeflow training operator, "
            "and the run goes on by itself; or name another spec.cluster.gang",
        ),
        Situation(
            title="Its kind is installed, and no controller acts on a PyTorchJob",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.CHILD_IGNORED,
            spec=_gang(Gang.PYTORCH_JOB),
            gangs=False,
            message="nothing acts on PyTorchJob ads-train-1: see that the Kubeflow training "
            "operator is installed, runs, and serves this namespace",
        ),
        Situation(
            title="Its kind is installed, and no controller acts on a TrainJob",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.CHILD_IGNORED,
            spec=_gang(Gang.TRAIN_JOB),
            gangs=False,
            message="nothing acts on TrainJob ads-train-1: see that Kubeflow Trainer 2 is "
            "installed, runs, and serves this namespace",
        ),
        Situation(
            title="Its kind is installed, and no controller acts on a JobSet",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.CHILD_IGNORED,
            spec=_gang(Gang.JOB_SET),
            gangs=False,
            message="nothing acts on JobSet ads-train-1: see that JobSet is installed, runs, and "
            "serves this namespace",
        ),
        Situation(
            title="The training operator cannot make pods",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.CHILD_REFUSED,
            spec=_gang(Gang.PYTORCH_JOB),
            gangs=False,
            then=(
                acts_on(Kind.PYTORCH_JOB, "ads-train-1"),
                tells_of(
                    Kind.PYTORCH_JOB,
                    "ads-train-1",
                    "FailedCreatePod",
                    'Error creating: pods "ads-train-1-worker-0" is forbidden: exceeded quota: '
                    "small, requested: "
                    "requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=0, limited: "
                    "requests.nvidia.com/gpu=0",
                ),
            ),
            message="no pod was made for PyTorchJob ads-train-1: FailedCreatePod: Error "
            'creating: pods "ads-train-1-worker-0" is forbidden: exceeded quota: small, '
            "requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=0, limited: "
            "requests.nvidia.com/gpu=0: wait until others of the namespace end, or have "
            "quota small raised",
        ),
        Situation(
            title="The quota has room for one pod of the gang alone",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.CHILD_REFUSED,
            spec=_gang(Gang.PYTORCH_JOB),
            before=(quota({"requests.nvidia.com/gpu": "1"}),),
            then=(
                tells_of(
                    Kind.PYTORCH_JOB,
                    "ads-train-1",
                    "FailedCreatePod",
                    'Error creating: pods "ads-train-1-worker-1" is forbidden: exceeded quota: '
                    "small, requested: "
                    "requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=1, limited: "
                    "requests.nvidia.com/gpu=1",
                ),
            ),
            message="1 of 2 pods were made for PyTorchJob ads-train-1: "
            'FailedCreatePod: Error creating: pods "ads-train-1-worker-1" is forbidden: '
            "exceeded quota: small, requested: requests.nvidia.com/gpu=1, used: "
            "requests.nvidia.com/gpu=1, limited: requests.nvidia.com/gpu=1: wait until "
            "others of the namespace end, or have quota small raised",
        ),
    ),
)
