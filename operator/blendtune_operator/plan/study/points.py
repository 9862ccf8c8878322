"""The runs of a study: each combination of its axes, with its name and its BlendedFineTune."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

from blendtune_api import codec
from blendtune_api.blend_study import BlendStudy, BlendStudySpec, Hold
from blendtune_api.contract import digest_of, storage_path
from blendtune_api.v1alpha1 import (
    BlendedFineTuneSpec,
    Budget,
    Evaluation,
    Export,
    Gate,
    Interpolation,
    Method,
    Model,
    Role,
    Source,
    Storage,
)
from blendtune_operator import names
from blendtune_operator.names import Kind, Object

_WEIGHT_DIGITS = 6
_SHARED = "shared"  # a folder beside those of the runs: the base model answers once for all of them


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """The values of one run. `epochs` has the unit of spec.axes.epochs.

    `learning_rate` is None for the template's own, so that a study that gets this axis keeps its runs.
    """

    share: float
    model: Model
    epochs: float
    method: Method
    seed: int
    learning_rate: float | None = None

    @property
    def without_share(self) -> tuple[str, float, Method, float]:
        """As `Setting.without_share` of the point's setting."""
        model = model_name(self.model.uri, self.model.revision)
        return model, self.epochs, self.method, self.learning_rate or 0.0

    def name(self, study: str) -> str:
        """The run's name: the same values give the same name, whatever other values the axes have."""
        return names.study_run(study, self.share, _digest(self))


def model_name(uri: str, revision: str) -> str:
    """The model's URI, with its revision unless that is main."""
    return uri if revision == "main" else f"{uri}@{revision}"


def grid(spec: BlendStudySpec) -> tuple[Point, ...]:
    """Every combination once; all of them with the first seed come before any with the second."""
    return points(spec, spec.axes.in_domain_share)


def points(spec: BlendStudySpec, shares: Iterable[float]) -> tuple[Point, ...]:
    """Every combination of these shares with the other axes."""
    axes, template = spec.axes, spec.template.spec
    combinations = product(
        axes.seeds or (template.training.seed,),
        axes.models or (template.model,),
        axes.epochs or (_template_epochs(spec),),
        axes.method or (template.training.method,),
        axes.learning_rate or (template.training.learning_rate,),
        shares,
    )
    found = (
        Point(
            share=share,
            model=model,
            epochs=epochs,
            method=method,
            seed=seed,
            learning_rate=None if rate == template.training.learning_rate else rate,
        )
        for seed, model, epochs, method, rate, share in combinations
    )
    return tuple(dict.fromkeys(found))


def run_spec(study: BlendStudy, point: Point) -> BlendedFineTuneSpec:
    """The spec of the point's run: the template with the point's values and a workspace of its own."""
    template, name = study.spec.template.spec, point.name(study.metadata.name)
    claim, *path = storage_path(template.storage, study.metadata.namespace, study.metadata.name).parts
    shared = template.storage.shared_path or "/".join((*path, _SHARED))
    export = template.export
    return replace(
        template,
        model=point.model,
        blend=replace(
            template.blend,
            seed=point.seed,
            budget=_budget(study.spec, point),
            sources=tuple(_weighted(template.blend.sources, point.share)),
        ),
        training=replace(
            template.training,
            method=point.method,
            seed=point.seed,
            learning_rate=point.learning_rate or template.training.learning_rate,
        ),
        storage=Storage(persistent_volume_claim=claim, path="/".join((*path, name)), shared_path=shared),
        export=None if export is None else Export(uri=f"{export.uri.rstrip('/')}/{name}"),
        evaluation=_evaluation(study.spec),
        suspend=study.spec.suspend,
    )


def run_object(study: BlendStudy, point: Point, deadline_seconds: int | None = None) -> Object:
    """The point's BlendedFineTune. The lower of `deadline_seconds` and the template's limit holds for it."""
    spec = run_spec(study, point)
    deadlines = [
        seconds for seconds in (spec.cluster.active_deadline_seconds, deadline_seconds) if seconds is not None
    ]
    cluster = replace(spec.cluster, active_deadline_seconds=min(deadlines, default=None))
    return {
        "apiVersion": Kind.BLENDED_FINE_TUNE.api_version,
        "kind": Kind.BLENDED_FINE_TUNE.value,
        "metadata": names.metadata(study, point.name(study.metadata.name)),
        "spec": codec.encode(replace(spec, cluster=cluster)),
    }


@lru_cache(maxsize=4096)  # every plan of a study asks for the names of all its points
def _digest(point: Point) -> str:
    return digest_of(point)


def _template_epochs(spec: BlendStudySpec) -> float:
    """The epochs of a study without that axis: one budget of tokens, or the template's passes."""
    return 1.0 if spec.hold is Hold.TOKENS else spec.template.spec.blend.budget.epochs or 1.0


def _budget(spec: BlendStudySpec, point: Point) -> Budget:
    if spec.hold is Hold.IN_DOMAIN_PASSES:
        return Budget(epochs=point.epochs)
    return Budget(tokens=max(1, round((spec.template.spec.blend.budget.tokens or 1) * point.epochs)))


def _evaluation(spec: BlendStudySpec) -> Evaluation:
    """The template's, which also asks the models between base and tuned one that the study wants.

    Of them each run takes one within its gates: if the template has none on the bounded metric, within the
    study's bound.
    """
    evaluation, bound = spec.template.spec.evaluation, spec.objective.subject_to
    if not spec.axes.interpolation:
        return evaluation
    weights = tuple(sorted(set(spec.axes.interpolation)))
    gates = evaluation.gates
    if all(gate.metric is not bound.metric for gate in gates):
        gates = (*gates, Gate(metric=bound.metric, max_drop=bound.max_drop))
    return replace(evaluation, interpolation=Interpolation(weights=weights), gates=gates)


def _weighted(sources: Iterable[Source], share: float) -> Iterator[Source]:
    """The sources with weights in percent; those whose weight is 0 are left out."""
    sources = tuple(sources)
    shares = {Role.IN_DOMAIN: share, Role.GENERAL: 1 - share}
    for source in sources:
        total = sum(other.weight for other in sources if other.role is source.role)
        weight = round(100 * shares[source.role] * source.weight / total, _WEIGHT_DIGITS)
        if weight > 0:
            yield replace(source, weight=weight)
