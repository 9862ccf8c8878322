"""The run's own settings hold it back."""

from __future__ import annotations

from tests.cluster.situations.situation import (
    ACCEPTED,
    TRAIN,
    Group,
    Situation,
)
from tests.cluster.situations.steps import (
    edits,
    runs,
)

from blendtune_api.v1alpha1 import (
    Cluster,
    ConditionType,
    Reason,
    State,
)

OWN = Group(
    title="The run's own settings",
    situations=(
        Situation(
            title="It is suspended",
            condition=ConditionType.SUSPENDED,
            shown=State.SUSPENDED,
            reason=Reason.SUSPENDED,
            then=(edits({"suspend": True}),),
            message="spec.suspend is true: set it to false to go on from the last checkpoint",
        ),
        Situation(
            title="Its deadline has passed",
            **TRAIN,
            shown=State.FAILED,
            reason=Reason.DEADLINE_EXCEEDED,
            spec={"cluster": Cluster(nodes=1, gpus_per_node=1, active_deadline_seconds=1)},
            then=(runs("train", "pytorch"),),
            message="the training took longer than spec.cluster.activeDeadlineSeconds (1): raise "
            "it and spec.retry to go on from the last checkpoint",
        ),
        Situation(
            title="Its GPU type is unknown",
            **ACCEPTED,
            shown=State.FAILED,
            reason=Reason.UNKNOWN_GPU_TYPE,
            spec={"cluster": Cluster(nodes=1, gpus_per_node=1, gpu_type="abacus")},
            message="spec.cluster.gpuType: no GPU preset 'abacus': known are a100-80gb, "
            "a100-40gb, h100-80gb, h200-141gb, cpu; an administrator may add it",
        ),
    ),
)
