"""Why a run is refused: its spec names what this installation does not have, or contradicts itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blendtune_api.codec import Fault
from blendtune_api.faults import describe
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    Cluster,
    Engine,
    Kernels,
    Reason,
)
from blendtune_core.judging import is_same_model
from blendtune_operator.names import Run
from blendtune_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason not to run a spec: the reason of the condition, and the field at fault."""

    reason: Reason
    fault: Fault


def refusals(run: Run, settings: Settings) -> tuple[Refusal, ...]:
    """Every reason not to run this spec, each with its field path. Empty when it can run."""
    return (
        *_unknown_gpu_types(run, settings),
        *_vllm_without_gpu(run, settings),
        *_liger_without_gpu(run, settings),
        *_unsupported_rehearsal_engines(run),
        *_file_uris(run, settings),
        *_parent_paths(run),
        *_self_judging(run),
        *_service_accounts(run, settings),
    )


def _unknown_gpu_types(run: Run, settings: Settings) -> Iterator[Refusal]:
    asked = [("spec.cluster.gpuType", run.spec.cluster.gpu_type)]
    if isinstance(run, BlendedFineTune):
        asked.append(("spec.evaluation.cluster.gpuType", run.spec.evaluation.cluster.gpu_type))
    for path, gpu_type in asked:
        if gpu_type not in settings.gpu_presets:
            known = ", ".join(settings.gpu_presets)
            message = f"no GPU preset {gpu_type!r}: known are {known}; an administrator may add it"
            yield Refusal(Reason.UNKNOWN_GPU_TYPE, Fault(path, message))


def _vllm_without_gpu(run: Run, settings: Settings) -> Iterator[Refusal]:
    if isinstance(run, BlendedFineTune):
        evaluation = run.spec.evaluation
        engine, path = evaluation.engine, "spec.evaluation"
        gpus, gpu_type = evaluation.cluster.gpus, evaluation.cluster.gpu_type
    else:
        engine, path = run.spec.engine, "spec"
        gpus, gpu_type = run.spec.cluster.gpus, run.spec.cluster.gpu_type
    preset = settings.gpu_presets.get(gpu_type)
    if engine is Engine.VLLM and (gpus == 0 or (preset is not None and not preset.is_gpu)):
        message = (
            f"vllm needs GPUs, and the evaluation has {gpus} of type {gpu_type}: set {path}.cluster.gpus and "
            "gpuType, or take transformers"
        )
        yield Refusal(Reason.INVALID_SPEC, Fault(f"{path}.engine", message))


def _liger_without_gpu(run: Run, settings: Settings) -> Iterator[Refusal]:
    if not isinstance(run, BlendedFineTune) or run.spec.training.kernels is not Kernels.LIGER:
        return
    gpu_type = run.spec.cluster.gpu_type
    preset = settings.gpu_presets.get(gpu_type)
    if preset is not None and not preset.is_gpu:
        message = f"liger needs GPUs, and the training runs on {gpu_type}: set auto or none"
        yield Refusal(Reason.INVALID_SPEC, Fault("spec.training.kernels", message))


def _unsupported_rehearsal_engines(run: Run) -> Iterator[Refusal]:
    if not isinstance(run, BlendedFineTune):
        return
    for index, source in enumerate(run.spec.blend.sources):
        if source.rehearsal.resolved_engine is not Engine.TRANSFORMERS:
            path = f"spec.blend.sources[{index}].selfRehearsal.engine"
            message = f"{source.rehearsal.engine} does not rehearse: set transformers, or leave it out"
            yield Refusal(Reason.NOT_SUPPORTED, Fault(path, message))


def _file_uris(run: Run, settings: Settings) -> Iterator[Refusal]:
    if settings.allow_file_uris:
        return
    for path, uri in _uris(run):
        if uri.startswith("file://"):
            message = "a file:// URI is only for local mode: use pvc://<claim>/<path>, hf:// or s3://"
            yield Refusal(Reason.NOT_SUPPORTED, Fault(path, message))


def _parent_paths(run: Run) -> Iterator[Refusal]:
    for path, uri in _uris(run):
        if ".." in uri.split("/"):
            yield Refusal(Reason.INVALID_SPEC, Fault(path, f"{uri}: a path may not contain .."))


def _self_judging(run: Run) -> Iterator[Refusal]:
    if isinstance(run, BlendedFineTune):
        judge, path = run.spec.evaluation.judge.open_ai, "spec.evaluation.judge.openAI.model"
    else:
        judge, path = run.spec.judge.open_ai, "spec.judge.openAI.model"
    if judge is None:
        return
    for field, uri in _evaluated_models(run):
        if is_same_model(judge.model, uri):
            message = f"{judge.model} is {field} by its name, and no model judges itself: name another"
            yield Refusal(Reason.INVALID_SPEC, Fault(path, message))


def _evaluated_models(run: Run) -> Iterator[tuple[str, str]]:
    yield "spec.model.uri", run.spec.model.uri
    if isinstance(run, BlendedFineTune):
        return
    if run.spec.baseline.model:
        yield "spec.baseline.model.uri", run.spec.baseline.model.uri
    for index, earlier in enumerate(run.spec.epochs):
        yield f"spec.epochs[{index}].uri", earlier.uri


def _service_accounts(run: Run, settings: Settings) -> Iterator[Refusal]:
    allowed = settings.allowed_service_accounts
    for path, name in _named_service_accounts(run):
        if not isinstance(name, str):
            yield Refusal(Reason.INVALID_SPEC, Fault(path, f"must be a string, not {describe(name)}"))
        elif allowed is not None and name not in allowed:
            known = f"use one of {', '.join(sorted(allowed))}, or leave it out" if allowed else "leave it out"
            message = f"service account {name!r} is not allowed to runs: {known}; an administrator may add it"
            yield Refusal(Reason.SERVICE_ACCOUNT_NOT_ALLOWED, Fault(path, message))


def _named_service_accounts(run: Run) -> Iterator[tuple[str, object]]:
    """Every service account that the spec names for a pod, with its field path."""
    if run.spec.credentials.service_account_name:
        yield "spec.credentials.serviceAccountName", run.spec.credentials.service_account_name
    cluster = run.spec.cluster
    pods = {"eval": cluster.eval}
    if isinstance(cluster, Cluster):
        pods |= {"rehearse": cluster.rehearse, "blend": cluster.blend, "train": cluster.train}
    for stage, pod in pods.items():
        spec = pod.pod_template.get("spec")
        for key in ("serviceAccountName", "serviceAccount"):  # the second is the older name of the first
            if isinstance(spec, Mapping) and spec.get(key):
                yield f"spec.cluster.{stage}.podTemplate.spec.{key}", spec[key]


def _uris(run: Run) -> Iterator[tuple[str, str]]:
    yield from _evaluated_models(run)
    if isinstance(run, BlendedFineTune):
        for index, source in enumerate(run.spec.blend.sources):
            yield f"spec.blend.sources[{index}].uri", source.uri
            if source.rehearsal.prompts:
                path = f"spec.blend.sources[{index}].selfRehearsal.prompts.uri"
                yield path, source.rehearsal.prompts.uri
        if run.spec.blend.validation.uri:
            yield "spec.blend.validation.uri", run.spec.blend.validation.uri
    if run.spec.export:
        yield "spec.export.uri", run.spec.export.uri
