"""What the pods of every stage need: model, storage and credentials; and what a user may change of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from blendtune_api.marks import Mark
from blendtune_api.v1alpha1.enums import ChatTemplate, Thinking
from blendtune_api.v1alpha1.limits import DNS_LABEL, MODEL_URI, RELATIVE_PATH


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalObjectReference:
    name: Annotated[str, Mark("Name of the object, in the same namespace.", min_length=1, max_length=253)]


@dataclass(frozen=True, kw_only=True, slots=True)
class KeySelector:
    name: Annotated[
        str, Mark("Name of the ConfigMap or Secret, in the same namespace.", min_length=1, max_length=253)
    ]
    key: Annotated[str, Mark("Key within it.", min_length=1, max_length=253)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    uri: Annotated[
        str,
        Mark(
            "The model: hf://org/name, s3://bucket/path, pvc://claim/path; file:///path in local mode.",
            pattern=MODEL_URI,
            max_length=1024,
        ),
    ]
    revision: Annotated[
        str, Mark("Branch, tag or commit of an hf:// model.", min_length=1, max_length=255)
    ] = "main"
    chat_template: Annotated[
        ChatTemplate | None, Mark("Chat template by name. Unset: the tokenizer's own.")
    ] = None
    thinking: Annotated[
        Thinking,
        Mark(
            "Whether the model is trained, and asked, to think before it answers. auto: on if the rows hold "
            "reasoning, else off where its chat template can turn it off."
        ),
    ] = Thinking.AUTO


@dataclass(frozen=True, kw_only=True, slots=True)
class Storage:
    persistent_volume_claim: Annotated[
        str,
        Mark(
            "The claim that holds the workspace; ReadWriteMany when the run spans several nodes.",
            pattern=DNS_LABEL,
            max_length=63,
        ),
    ]
    path: Annotated[
        str | None,
        Mark(
            "Folder of this run within the claim. Unset: <namespace>/<name>.",
            pattern=RELATIVE_PATH,
            max_length=255,
        ),
    ] = None
    shared_path: Annotated[
        str | None,
        Mark(
            "Folder within the claim for what several runs share: answers, encoded rows, downloaded models. "
            "Unset: the run's own folder.",
            pattern=RELATIVE_PATH,
            max_length=255,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    secret_ref: Annotated[
        LocalObjectReference | None,
        Mark(
            "Secret whose keys become environment variables of the pods that need them. The operator never "
            "reads it."
        ),
    ] = None
    service_account_name: Annotated[
        str | None, Mark("Service account of the pods.", pattern=DNS_LABEL, max_length=63)
    ] = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StagePod:
    """What a user changes of the pods of one stage, over what the operator renders."""

    image: Annotated[str, Mark("Image. Empty: the operator's default for this stage.", max_length=512)] = ""
    resources: Annotated[
        Mapping[str, Any],
        Mark(
            "Container resources, as in core/v1, in addition to the GPUs. Unset: no CPU or memory is "
            "requested, and the pod is among the first to be evicted when its node runs short.",
            max_items=8,
            preserve_unknown_fields=True,
        ),
    ] = field(default_factory=dict)
    pod_template: Annotated[
        Mapping[str, Any],
        Mark(
            "Partial core/v1 PodTemplateSpec, merged over the rendered one: maps by key, lists of named "
            "items by name.",
            max_items=8,
            preserve_unknown_fields=True,
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class RehearsePod(StagePod):
    gpus: Annotated[
        int,
        Mark(
            "GPUs of the pod, of cluster.gpuType; several share the model.",
            minimum=0,
            maximum=16,
        ),
    ] = 1
