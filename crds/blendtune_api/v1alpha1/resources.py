"""BlendedFineTune and RubricEval, the resources themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from blendtune_api.marks import Mark, Rule
from blendtune_api.v1alpha1.blend import Blend
from blendtune_api.v1alpha1.enums import Role, StoppingMetric
from blendtune_api.v1alpha1.evaluation import Evaluation, RubricEvalSpec
from blendtune_api.v1alpha1.limits import DNS_1035_LABEL, DNS_LABEL, NAME_MAX_LENGTH
from blendtune_api.v1alpha1.pods import Credentials, Model, Storage
from blendtune_api.v1alpha1.status import BlendedFineTuneStatus, RubricEvalStatus
from blendtune_api.v1alpha1.training import Cluster, Export, Training


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendedFineTuneSpec:
    model: Annotated[Model, Mark("The base model.")]
    blend: Annotated[Blend, Mark("The data, and the share of each source.")]
    storage: Annotated[Storage, Mark("The workspace shared by all stages.")]
    training: Annotated[Training, Mark("How to train.")] = field(default_factory=Training)
    cluster: Annotated[Cluster, Mark("What to train on.")] = field(default_factory=Cluster)
    credentials: Annotated[Credentials, Mark("Secrets and service account of the pods.")] = field(
        default_factory=Credentials
    )
    export: Annotated[Export | None, Mark("Where else to copy the model.")] = None
    evaluation: Annotated[Evaluation, Mark("How to prove what was gained and forgotten.")] = field(
        default_factory=Evaluation
    )
    suspend: Annotated[bool, Mark("Stop after a checkpoint and free the GPUs, until it is false again.")] = (
        False
    )
    retry: Annotated[
        int,
        Mark("May only grow: each growth runs a failed run's failed stage again.", minimum=0, maximum=10_000),
    ] = 0
    ttl_seconds_after_finished: Annotated[
        int | None,
        Mark(
            "Seconds after which a finished run's children are removed; never the resource, nor the data.",
            minimum=0,
            maximum=2**31 - 1,
        ),
    ] = None

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.training.earlyStopping.metric != 'kl' || (!has(self.blend.validation.uri)"
            " && (!has(self.blend.validation.fraction) || self.blend.validation.fraction > 0.0)"
            " && self.blend.sources.exists(source, source.role == 'general'))",
            message="training.earlyStopping.metric kl needs held-out rows of a source of role general: name "
            "one in blend.sources, with a blend.validation.fraction above 0 and without "
            "blend.validation.uri, whose rows have no role",
            check=lambda self: (
                self.training.early_stopping.metric is not StoppingMetric.KL
                or (
                    self.blend.validation.resolved_fraction > 0
                    and any(source.role is Role.GENERAL for source in self.blend.sources)
                )
            ),
            field_path="training",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectMeta:
    """The part of metav1.ObjectMeta that Blendtune reads."""

    name: Annotated[
        str, Mark("Unique within the namespace.", pattern=DNS_1035_LABEL, max_length=NAME_MAX_LENGTH)
    ]
    namespace: Annotated[str, Mark("Namespace of the object.", pattern=DNS_LABEL, max_length=63)] = "default"
    uid: str = ""
    generation: int = 1
    resource_version: str = ""
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


def _frozen(fields: tuple[str, ...], message: str) -> Rule:
    """A transition rule: once the run has started, these fields may be neither changed nor removed.

    The rule is at the root of the object, because a rule at the field itself does not run if the field is
    removed.
    """
    unchanged = (
        f"has(self.spec.{name}) == has(oldSelf.spec.{name})"
        f" && (!has(self.spec.{name}) || self.spec.{name} == oldSelf.spec.{name})"
        for name in fields
    )
    cel = "!has(oldSelf.status) || !has(oldSelf.status.startTime) || (" + " && ".join(unchanged) + ")"
    return Rule(cel=cel, message=message)


_NAME_RULE = Rule(
    cel=f"size(self.metadata.name) <= {NAME_MAX_LENGTH} && self.metadata.name.matches('{DNS_1035_LABEL}')",
    message=f"metadata.name must have at most {NAME_MAX_LENGTH} characters, only of a-z, 0-9 and '-', begin "
    "with a letter and end with a letter or digit: the names of the run's Jobs and pods are made of it",
    check=lambda self: (
        len(self.metadata.name) <= NAME_MAX_LENGTH and bool(re.fullmatch(DNS_1035_LABEL, self.metadata.name))
    ),
)

_RETRY_RULE = Rule(
    cel="self.spec.retry >= oldSelf.spec.retry",
    message="spec.retry may only grow: set it higher than it was to run the failed stage again",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class BlendedFineTune:
    """Fine-tunes a language model on a declared blend and proves what it gained and what it forgot."""

    metadata: ObjectMeta
    spec: Annotated[BlendedFineTuneSpec, Mark("The desired state.")]
    status: Annotated[BlendedFineTuneStatus, Mark("The observed state, written by the operator.")] = field(
        default_factory=BlendedFineTuneStatus
    )

    FROZEN_FIELDS: ClassVar[tuple[str, ...]] = (
        "model",
        "blend",
        "training",
        "storage",
        "export",
        "evaluation.rubric",
        "evaluation.baseline",
        "evaluation.everyEpoch",
        "evaluation.judge",
        "evaluation.sampling",
        "evaluation.retention",
        "evaluation.engine",
        "evaluation.benchmarks",
        "evaluation.stopWhenDecided",
        "evaluation.interpolation",
        "evaluation.cluster",
    )
    RULES: ClassVar[tuple[Rule, ...]] = (
        _NAME_RULE,
        _RETRY_RULE,
        _frozen(
            FROZEN_FIELDS,
            "model, blend, training, storage, export and evaluation (but its gates) are fixed once the run "
            "has started: create a new BlendedFineTune, or delete this one and apply it again",
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricEval:
    """Asks a model, and a baseline to compare with, the questions of a rubric and scores the answers."""

    metadata: ObjectMeta
    spec: Annotated[RubricEvalSpec, Mark("The desired state.")]
    status: Annotated[RubricEvalStatus, Mark("The observed state, written by the operator.")] = field(
        default_factory=RubricEvalStatus
    )

    FROZEN_FIELDS: ClassVar[tuple[str, ...]] = (
        "model",
        "storage",
        "baseline",
        "epochs",
        "rubric",
        "judge",
        "sampling",
        "retention",
        "thinking",
        "engine",
        "benchmarks",
        "stopWhenDecided",
        "interpolation",
        "export",
    )
    RULES: ClassVar[tuple[Rule, ...]] = (
        _NAME_RULE,
        _RETRY_RULE,
        _frozen(
            FROZEN_FIELDS,
            "model, storage, baseline, epochs, rubric, judge, sampling, retention, thinking, engine, "
            "benchmarks, stopWhenDecided, interpolation and export are fixed once the evaluation has "
            "started: create a new RubricEval, or delete this one and apply it again",
        ),
    )
