"""Something that the pods name is not there."""

from __future__ import annotations

from tests.cluster.situations.situation import (
    EVAL,
    NO_NODE,
    NO_POD,
    STARTING,
    TRAIN,
    Group,
    Situation,
    pod_spec,
)
from tests.cluster.situations.steps import (
    on_node,
    tells,
    there_is,
    unschedulable,
    waits,
)

from blendtune_api.v1alpha1 import (
    Credentials,
    Evaluation,
    Judge,
    JudgeKind,
    KeySelector,
    LocalObjectReference,
    OpenAIJudge,
    Reason,
    RubricReference,
    State,
)

_RUBRIC = Evaluation(rubric=RubricReference(config_map_ref=KeySelector(name="my-rubric", key="rubric.yaml")))
_JUDGE = Evaluation(
    judge=Judge(
        kind=JudgeKind.OPENAI,
        open_ai=OpenAIJudge(
            url="https://judge.example/v1",
            model="judge",
            api_key_secret_ref=KeySelector(name="judge", key="token"),
        ),
    )
)


MISSING = Group(
    title="Something that the pods name is not there",
    situations=(
        Situation(
            title="The ConfigMap of the rubric",
            **STARTING,
            spec={"evaluation": _RUBRIC},
            message="ConfigMap my-rubric of the rubric is not there: create it, and the pod starts",
        ),
        Situation(
            title="A key in the rubric's ConfigMap",
            **STARTING,
            spec={"evaluation": _RUBRIC},
            before=(there_is("configmaps", "my-rubric", data={"rubric": "x"}),),
            message="ConfigMap my-rubric of the rubric has no key rubric.yaml: add it, and the pod starts",
        ),
        Situation(
            title="The Secret of the credentials",
            **STARTING,
            spec={"credentials": Credentials(secret_ref=LocalObjectReference(name="keys"))},
            then=(waits("CreateContainerConfigError", 'secret "keys" not found'),),
            message="pod ads-blend-abcde cannot start container blend: "
            'CreateContainerConfigError: secret "keys" not found: create secret keys, and '
            "the pod starts",
        ),
        Situation(
            title="A key in the Secret of the judge",
            **EVAL,
            spec={"evaluation": _JUDGE},
            shown=State.EVALUATING,
            reason=Reason.STARTING,
            then=(
                waits("CreateContainerConfigError", "couldn't find key token in Secret team/judge", "eval"),
            ),
            message="pod ads-eval-abcde cannot start container eval: CreateContainerConfigError: "
            "couldn't find key token in Secret team/judge: add key token to Secret judge, "
            "and the pod starts",
        ),
        Situation(
            title="A ConfigMap that podTemplate mounts",
            **TRAIN,
            shown=State.TRAINING,
            reason=Reason.STARTING,
            then=(
                on_node("train"),
                tells(
                    "FailedMount",
                    'MountVolume.SetUp failed for volume "extra" : configmap "extra" not found',
                    "train",
                ),
            ),
            message="pod ads-train-1-worker-0 on node node-7 has no container yet: FailedMount: "
            'MountVolume.SetUp failed for volume "extra" : configmap "extra" not found: '
            "create configmap extra, and the pod starts (2 pods wait)",
        ),
        Situation(
            title="The claim",
            **NO_NODE,
            then=(
                unschedulable(
                    '0/3 nodes are available: persistentvolumeclaim "blendtune" not found. '
                    "preemption: 0/3 nodes "
                    "are available: 3 Preemption is not helpful for scheduling."
                ),
            ),
            message="pod ads-blend-abcde cannot be scheduled: 0/3 nodes are available: "
            'persistentvolumeclaim "blendtune" not found: create claim blendtune, or correct '
            "spec.storage or the URI",
        ),
        Situation(
            title="The service account",
            **NO_POD,
            spec={"credentials": Credentials(service_account_name="trainer")},
            message="no pod was made for Job ads-blend: FailedCreate: Error creating: pods "
            '"ads-blend-" is forbidden: error looking up service account team/trainer: '
            'serviceaccount "trainer" not found: create ServiceAccount trainer, or correct '
            "spec.credentials",
        ),
        Situation(
            title="A priority class",
            **NO_POD,
            spec=pod_spec(priorityClassName="gold"),
            message="no pod was made for Job ads-blend: FailedCreate: Error creating: pods "
            '"ads-blend-" is forbidden: no PriorityClass with name gold was found: create '
            "it, or correct priorityClassName in podTemplate",
        ),
        Situation(
            title="A runtime class",
            **NO_POD,
            spec=pod_spec(runtimeClassName="gvisor"),
            message="no pod was made for Job ads-blend: FailedCreate: Error creating: pods "
            '"ads-blend-" is forbidden: pod rejected: RuntimeClass "gvisor" not found: '
            "create it, or correct runtimeClassName in podTemplate",
        ),
    ),
)
