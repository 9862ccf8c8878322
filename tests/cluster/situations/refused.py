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
            message="no pod was made for Job ads-blend: FailedCreate: Error creating: pods "
            '"ads-blend-abcde" is forbidden: exceeded quota: small, requested: pods=1, used: '
            "pods=0, limited: pods=0: wait until others of the namespace end, or have quota "
            "small raised",
        ),
        Situation(
            title="The namespace's quota demands limits",
            **NO_POD,
            before=(quota({"limits.memory": "4Gi"}),),
            message="no pod was made for Job ads-blend: FailedCreate: Error creating: pods "
            '"ads-blend-abcde" is forbidden: failed quota: small: must specify limits.memory '
            "for: blend,rubric: set them in spec.cluster, for init containers in podTemplate",
        ),
        Situation(
            title="The namespace's quota of Jobs is used up",
            **NOT_MADE,
            before=(quota({"count/jobs.batch": "0"}),),
            message='the API server refused Job ads-blend: jobs.batch "ads-blend" is forbidden: '
            "exceeded quota: small, requested: count/jobs.batch=1, used: count/jobs.batch=0, "
            "limited: count/jobs.batch=0: wait until others of the namespace end, or have "
            "quota small raised",
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
            message="no pod was made for Job ads-blend: FailedCreate: Error creating: pods "
            '"ads-blend-abcde" is forbidden: maximum memory usage per Container is 1Gi, but '
            "limit is 2Gi: set the stage's resources in spec.cluster within the namespace's "
            "LimitRange",
        ),
        Situation(
            title="Pod Security forbids what podTemplate sets",
            **NO_POD,
            spec=pod_spec(hostNetwork=True),
            before=(enforce_restricted,),
            message="no pod was made for Job ads-blend: FailedCreate: Error creating: pods "
            '"ads-blend-abcde" is forbidden: violates PodSecurity "restricted:latest": host '
            "namespaces (hostNetwork=true): set what is named in spec.cluster's podTemplate, "
            "or have the namespace's level changed",
        ),
        Situation(
            title="An admission policy denies the pod",
            **NO_POD,
            before=(policy_denies("pods"),),
            message="no pod was made for Job ads-blend: FailedCreate: Error creating: pods "
            "\"ads-blend-abcde\" is forbidden: ValidatingAdmissionPolicy 'no-pods.team' with "
            "binding 'no-pods.team' denied request: label cost-centre is required: change "
            "what it objects to in spec.cluster, or ask whoever runs it",
        ),
        Situation(
            title="An admission policy denies the Job",
            **NOT_MADE,
            before=(policy_denies("jobs", "batch"),),
            message='the API server refused Job ads-blend: jobs.batch "ads-blend" is forbidden: '
            "ValidatingAdmissionPolicy 'no-jobs.team' with binding 'no-jobs.team' denied "
            "request: label cost-centre is required: change what it objects to in "
            "spec.cluster, or ask whoever runs it",
        ),
        Situation(
            title="An admission webhook does not answer",
            **NOT_MADE,
            before=(webhook_is_silent,),
            message="the API server refused Job ads-blend: Internal error occurred: failed "
            'calling webhook "jobs.policy.example": failed to call webhook: Post '
            '"https://127.0.0.1:1/?timeout=10s": dial tcp 127.0.0.1:1: connect: connection '
            "refused: the webhook does not answer: whoever runs it must mend it",
        ),
        Situation(
            title="podTemplate is no template of a pod",
            **NOT_MADE,
            spec=pod_spec(volumes=[{"name": "No Name", "emptyDir": {}}]),
            message='the API server refused Job ads-blend: Job.batch "ads-blend" is invalid: '
            'spec.template.spec.volumes[4].name: Invalid value: "No Name": a lowercase RFC '
            "1123 label must consist of lower case alphanumeric characters or '-', and must "
            "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', "
            "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'): correct "
            "spec.cluster's podTemplate or resources",
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
