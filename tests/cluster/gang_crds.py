"""The CRDs of JobSet and of Kubeflow Trainer, as far as an API server needs them: without their schemas.

What is rendered is checked against the schemas that they ship by tests/operator/test_gang_schemas.py.
"""

from __future__ import annotations

from blendtune_operator.names import Kind, Object

KINDS = (Kind.JOB_SET, Kind.TRAIN_JOB, Kind.TRAINING_RUNTIME)
# What their CRDs set where it is unset.
_DEFAULTS: dict[Kind, Object] = {
    Kind.JOB_SET: {},
    Kind.TRAIN_JOB: {"suspend": {"type": "boolean", "default": False}},
    Kind.TRAINING_RUNTIME: {},
}


def custom_resource_definition(kind: Kind) -> Object:
    group, _, version = kind.api_version.partition("/")
    anything: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties = {"spec": {**anything, "properties": _DEFAULTS[kind]}, "status": anything}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind.value, "plural": kind.plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
                }
            ],
        },
    }
