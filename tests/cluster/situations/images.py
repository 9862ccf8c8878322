"""An image cannot be had."""

from __future__ import annotations

from tests.cluster.situations.situation import (
    NO_IMAGE,
    STARTING,
    Group,
    Situation,
)
from tests.cluster.situations.steps import (
    on_node,
    tells,
    waits,
)

from blendtune_api.v1alpha1 import (
    ConditionType,
    Reason,
    State,
)

_PULL = (
    'rpc error: code = NotFound desc = failed to pull and unpack image "registry.example/blendtune:1": '
    "not found"
)
IMAGES = Group(
    title="An image",
    situations=(
        Situation(
            title="Its name or tag does not exist, at the first attempt to pull it",
            **NO_IMAGE,
            then=(waits("ErrImagePull", _PULL),),
            message="pod ads-blend-abcde cannot pull image registry.example/blendtune:1 "
            "(ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack "
            'image "registry.example/blendtune:1": not found): check the image name in '
            "spec.cluster and the pull secrets of the service account",
        ),
        Situation(
            title="The same, between two attempts",
            **NO_IMAGE,
            then=(waits("ImagePullBackOff", 'Back-off pulling image "registry.example/blendtune:1"'),),
            message="pod ads-blend-abcde cannot pull image registry.example/blendtune:1 "
            '(ImagePullBackOff: Back-off pulling image "registry.example/blendtune:1"): '
            "check the image name in spec.cluster and the pull secrets of the service account",
        ),
        Situation(
            title="Its name cannot be read",
            **NO_IMAGE,
            then=(
                waits(
                    "InvalidImageName", 'couldn\'t parse image name "Blendtune:1:2": invalid reference format'
                ),
            ),
            message="pod ads-blend-abcde cannot pull image registry.example/blendtune:1 "
            '(InvalidImageName: couldn\'t parse image name "Blendtune:1:2": invalid reference '
            "format): correct the image name in spec.cluster",
        ),
        Situation(
            title="The node may not pull",
            **NO_IMAGE,
            then=(
                waits(
                    "ErrImageNeverPull",
                    'Container image "registry.example/blendtune:1" is not present with pull policy of Never',
                ),
            ),
            message="pod ads-blend-abcde cannot pull image registry.example/blendtune:1 "
            '(ErrImageNeverPull: Container image "registry.example/blendtune:1" is not '
            "present with pull policy of Never): the node may not pull: load the image "
            "there, or set imagePullPolicy in podTemplate",
        ),
        Situation(
            title="The node cannot read the image that it has",
            **NO_IMAGE,
            then=(waits("ImageInspectError", "Failed to inspect image: content digest not found"),),
            message="pod ads-blend-abcde cannot pull image registry.example/blendtune:1 "
            "(ImageInspectError: Failed to inspect image: content digest not found): the "
            "node cannot read the image that it has: remove it there to pull it again",
        ),
        Situation(
            title="The registry does not answer",
            **NO_IMAGE,
            then=(waits("RegistryUnavailable", "image pull failed because the registry is unavailable"),),
            message="pod ads-blend-abcde cannot pull image registry.example/blendtune:1 "
            "(RegistryUnavailable: image pull failed because the registry is unavailable): "
            "the registry does not answer: it is tried again by itself once it does",
        ),
        Situation(
            title="Its signature is not valid",
            stage="train",
            condition=ConditionType.TRAINING_SUCCEEDED,
            shown=State.TRAINING,
            reason=Reason.IMAGE_PULL_FAILED,
            then=(
                waits(
                    "SignatureValidationFailed",
                    "image pull failed because the signature validation failed",
                    "train",
                    "pytorch",
                ),
            ),
            message="pod ads-train-1-worker-0 cannot pull image registry.example/blendtune:1 "
            "(SignatureValidationFailed: image pull failed because the signature validation "
            "failed): the node accepts only signed images: sign it, or take one that is signed",
        ),
        Situation(
            title="It is large, and still being pulled",
            **STARTING,
            then=(
                on_node("blend"),
                tells("Pulling", 'Pulling image "registry.example/blendtune:1"', type="Normal"),
            ),
            message="pod ads-blend-abcde on node node-7 has no container yet: Pulling image "
            '"registry.example/blendtune:1": it starts once the image is there',
        ),
    ),
)
