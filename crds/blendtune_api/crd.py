"""The CustomResourceDefinitions (apiextensions.k8s.io/v1), generated from the dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blendtune_api.blend_study import BlendStudy
from blendtune_api.fields import fields_of, rules_of
from blendtune_api.schema import Schema, object_schema, rule_schema
from blendtune_api.v1alpha1 import GROUP, VERSION, BlendedFineTune, RubricEval

CATEGORY = "blendtune"


@dataclass(frozen=True, slots=True)
class Column:
    """An additional printer column: a column of `kubectl get`."""

    name: str
    type: str
    json_path: str
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceDefinition:
    """How the API server serves one kind: its names and its printer columns."""

    cls: type
    plural: str
    short_name: str
    columns: tuple[Column, ...]

    @property
    def kind(self) -> str:
        return self.cls.__name__

    @property
    def full_name(self) -> str:
        return f"{self.plural}.{GROUP}"


_STATE = Column("State", "string", ".status.state", "Summary of the conditions.")
_GATES = Column(
    "Gates",
    "string",
    '.status.conditions[?(@.type=="GatesPassed")].status',
    "Whether the gates passed; Unknown: a person decides.",
)
_AGE = Column("Age", "date", ".metadata.creationTimestamp", "Time since the creation.")

BLENDED_FINE_TUNES = ResourceDefinition(
    cls=BlendedFineTune,
    plural="blendedfinetunes",
    short_name="bft",
    columns=(
        _STATE,
        Column(
            "Progress",
            "integer",
            ".status.trainerStatus.progressPercentage",
            "Progress of the training, percent.",
        ),
        Column(
            "Loss",
            "string",
            '.status.trainerStatus.metrics[?(@.name=="loss")].value',
            "Latest training loss.",
        ),
        Column(
            "In-domain", "number", ".status.evaluation.inDomain.score", "Score on in-domain questions, 0..1."
        ),
        Column("General", "number", ".status.evaluation.general.score", "Score on general questions, 0..1."),
        _GATES,
        _AGE,
    ),
)
RUBRIC_EVALS = ResourceDefinition(
    cls=RubricEval,
    plural="rubricevals",
    short_name="rubric",
    columns=(
        _STATE,
        Column("Overall", "number", ".status.overall.score", "Score on all questions, 0..1."),
        Column("In-domain", "number", ".status.inDomain.score", "Score on in-domain questions, 0..1."),
        Column("General", "number", ".status.general.score", "Score on general questions, 0..1."),
        Column("Verdict", "string", ".status.verdict", "The model against its baseline."),
        _GATES,
        _AGE,
    ),
)
BLEND_STUDIES = ResourceDefinition(
    cls=BlendStudy,
    plural="blendstudies",
    short_name="study",
    columns=(
        _STATE,
        Column("Runs", "integer", ".status.counts.total", "Runs of the study."),
        Column("Succeeded", "integer", ".status.counts.succeeded", "Runs that ended well."),
        Column("Failed", "integer", ".status.counts.failed", "Runs that failed."),
        Column("GPU-hours", "number", ".status.gpuHours.spent", "GPU hours of training spent."),
        Column("Verdict", "string", ".status.recommendation.verdict", "Whether a setting is recommended."),
        Column(
            "Share",
            "number",
            ".status.recommendation.setting.inDomainShare",
            "Share of in-domain data of the recommended setting.",
        ),
        _AGE,
    ),
)
RESOURCES = (BLENDED_FINE_TUNES, RUBRIC_EVALS, BLEND_STUDIES)


def custom_resource_definition(resource: ResourceDefinition) -> dict[str, Any]:
    """The CRD of a kind, as apiextensions.k8s.io/v1."""
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "shortNames": [resource.short_name],
        "categories": [CATEGORY],
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {
                "name": column.name,
                "type": column.type,
                "jsonPath": column.json_path,
                "description": column.description,
            }
            for column in resource.columns
        ],
        "schema": {"openAPIV3Schema": root_schema(resource.cls)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.full_name},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def root_schema(cls: type) -> Schema:
    """The schema of a whole object. The API server validates the metadata; the status has no defaults."""
    types = {field.name: field for field in fields_of(cls)}
    spec, status = types["spec"], types["status"]
    return {
        "type": "object",
        "description": cls.__doc__,
        "required": ["metadata", "spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": object_schema(spec.type) | {"description": spec.mark.description},
            "status": object_schema(status.type, defaults=False) | {"description": status.mark.description},
        },
        "x-kubernetes-validations": [rule_schema(rule) for rule in rules_of(cls)],
    }
