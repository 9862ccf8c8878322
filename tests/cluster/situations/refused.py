"""The API server refuses a pod or a child."""

from __future__ import annotations

from tests.cluster.situations.situation import (
    ACCEPTED,
    NO_POD,
    NOT_MADE,
    Group,
    Situation,
    blend_pod,
    pod_spec,
)
from tests.cluster.situations.steps import (
    enforce_restricted,
    policy_denies,
    quota,
    there_is,
    webhook_is_silent,
)

from blendtune_api.v1alpha1 import (
    Reason,
    State,
)

REFUSED = Group(
    title="The API server refuses a pod or a child",
    situations=(
        Situation(
            title="The namespace's quota of pods is used up",
            **NO_POD,
            before=(quota({"pods": "0"}),),
            message="?",
        ),
        Situation(
            title="The namespace's quota demands limits",
            **NO_POD,
            before=(quota({"limits.memory": "4Gi"}),),
            message="?",
        ),
        Situation(
            title="The namespace's quota of Jobs is used up",
            **NOT_MADE,
            before=(quota({"count/jobs.batch": "0"}),),
            message="?",
        ),
        Situation(
            title="A LimitRange allows less",
            **NO_POD,
            spec=blend_pod(resources={"limits": {"memory": "2Gi"}}),
            before=(
                there_is(
                    "limitranges", "small", spec={"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}
                ),
            ),
            message="?",
        ),
        Situation(
            title="Pod Security forbids what podTemplate sets",
            **NO_POD,
            spec=pod_spec(hostNetwork=True),
            before=(enforce_restricted,),
            message="?",
        ),
        Situation(
            title="An admission policy denies the pod",
            **NO_POD,
            before=(policy_denies("pods"),),
            message="?",
        ),
        Situation(
            title="An admission policy denies the Job",
            **NOT_MADE,
            before=(policy_denies("jobs", "batch"),),
            message="?",
        ),
        Situation(
            title="An admission webhook does not answer",
            **NOT_MADE,
            before=(webhook_is_silent,),
            message="?",
        ),
        Situation(
            title="podTemplate is no template of a pod",
            **NOT_MADE,
            spec=pod_spec(volumes=[{"name": "No Name", "emptyDir": {}}]),
            message="?",
        ),
        Situation(
            title="An object has the name of a child",
            shown=State.PENDING,
            reason=Reason.NAME_CONFLICT,
            **ACCEPTED,
            before=(there_is("configmaps", "ads-run", data={"x": "y"}),),
            message="ConfigMap ads-run is there already and belongs to something else: delete "
            "ConfigMap ads-run, or give the run another name",
        ),
    ),
)
