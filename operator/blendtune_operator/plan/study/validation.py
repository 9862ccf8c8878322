"""Why a study is refused before anything runs: each fault with its field path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from blendtune_api.blend_study import BlendStudy, Hold, SearchKind
from blendtune_api.codec import Fault
from blendtune_api.v1alpha1 import BlendedFineTune, Metric, Reason, Role, StoppingMetric
from blendtune_operator.plan.supported import Refusal, refusals
from blendtune_operator.settings import Settings

_TEMPLATE = "spec.template"


def study_refusals(study: BlendStudy, settings: Settings) -> tuple[Refusal, ...]:
    """Every reason not to run this study. Empty when it can run."""
    own = tuple(Refusal(Reason.INVALID_SPEC, fault) for fault in _faults(study))
    return own or tuple(dict.fromkeys(_run_refusals(study, settings)))


def _faults(study: BlendStudy) -> Iterator[Fault]:
    spec, template = study.spec, study.spec.template.spec
    yield from _budget_faults(study)
    roles = {source.role for source in template.blend.sources}
    for index, share in enumerate(spec.axes.in_domain_share):
        path = f"spec.axes.inDomainShare[{index}]"
        if share > 0 and Role.IN_DOMAIN not in roles:
            yield Fault(path, f"is {share:g}, and the template has no source of role inDomain")
        if share == 1 and template.training.early_stopping.metric is StoppingMetric.KL:
            message = (
                "is 1, which leaves no general rows to hold out, and the template's "
                "training.earlyStopping.metric kl watches them: use a share below 1, or metric: loss"
            )
            yield Fault(path, message)
        if share < 1 and Role.GENERAL not in roles:
            yield Fault(path, f"is {share:g}, and the template has no source of role general")
    if spec.axes.combinations > spec.search.max_runs:
        message = f"the axes make {spec.axes.combinations} runs: raise it, or shorten an axis"
        yield Fault("spec.search.maxRuns", message)
    if spec.search.kind is SearchKind.BISECT and len(set(spec.axes.in_domain_share)) < 2:
        yield Fault("spec.axes.inDomainShare", "bisect refines between shares: give at least two")
    yield from _bound_faults(study)
    yield from _interpolation_faults(study)
    if not template.evaluation.baseline.enabled:
        path = f"{_TEMPLATE}.spec.evaluation.baseline.enabled"
        yield Fault(path, "must be true: a drop is measured against the base model")
    if template.suspend:
        yield Fault(f"{_TEMPLATE}.spec.suspend", "set spec.suspend, which holds for every run")
    if template.retry:
        yield Fault(f"{_TEMPLATE}.spec.retry", "raise it in the BlendedFineTune that failed")


def _bound_faults(study: BlendStudy) -> Iterator[Fault]:
    bound, evaluation = study.spec.objective.subject_to, study.spec.template.spec.evaluation
    if bound.name is not None and bound.name not in evaluation.benchmarks:
        present = ", ".join(evaluation.benchmarks) or "none"
        message = f"no benchmark {bound.name} is run: the template's evaluation.benchmarks names {present}"
        yield Fault("spec.objective.subjectTo.name", message)
    if bound.metric is Metric.RETENTION and not evaluation.retention.rows:
        message = "the template's evaluation.retention.rows is 0, so retention is not measured: raise it"
        yield Fault("spec.objective.subjectTo.metric", message)


def _interpolation_faults(study: BlendStudy) -> Iterator[Fault]:
    """The models between base and tuned one have scores in both domains, and the run takes one by them."""
    spec, evaluation = study.spec, study.spec.template.spec.evaluation
    if not spec.axes.interpolation:
        return
    objective = spec.objective
    if (objective.maximize, objective.subject_to.metric) != (Metric.IN_DOMAIN, Metric.GENERAL):
        message = (
            "weights are compared by both domains alone: maximize inDomain subject to general, or leave out "
            "axes.interpolation"
        )
        yield Fault("spec.objective", message)
    if evaluation.interpolation is not None:
        message = "the axis interpolation sets it for every run: leave one of the two out"
        yield Fault(f"{_TEMPLATE}.spec.evaluation.interpolation", message)


def _budget_faults(study: BlendStudy) -> Iterator[Fault]:
    spec, budget = study.spec, study.spec.template.spec.blend.budget
    path = f"{_TEMPLATE}.spec.blend.budget"
    if spec.hold is Hold.TOKENS and budget.tokens is None:
        message = "hold: tokens gives every share the same tokens: set tokens, or hold: inDomainPasses"
        yield Fault(path, message)
    if spec.hold is Hold.IN_DOMAIN_PASSES:
        if budget.epochs is None and not spec.axes.epochs:
            yield Fault(path, "hold: inDomainPasses counts epochs: set epochs, or the axis epochs")
        for index, share in enumerate(spec.axes.in_domain_share):
            if share == 0:
                message = "hold: inDomainPasses needs in-domain data: use a share above 0, or hold: tokens"
                yield Fault(f"spec.axes.inDomainShare[{index}]", message)


def _run_refusals(study: BlendStudy, settings: Settings) -> Iterator[Refusal]:
    """What would be refused of the study's runs, with the field path in the study.

    All runs share the template, so it is checked once with each model.
    """
    template, models = study.spec.template.spec, study.spec.axes.models
    places = {f"spec.axes.models[{index}]": model for index, model in enumerate(models)}
    for place, model in (places or {f"{_TEMPLATE}.spec.model": template.model}).items():
        run = BlendedFineTune(metadata=study.metadata, spec=replace(template, model=model))
        for refusal in refusals(run, settings):
            path = refusal.fault.path
            own = path.startswith("spec.model.")
            path = path.replace("spec.model", place, 1) if own else f"{_TEMPLATE}.{path}"
            yield replace(refusal, fault=Fault(path, refusal.fault.message))
