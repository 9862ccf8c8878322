"""The RubricEval of a BlendedFineTune: it compares the tuned model with its base, in the run's workspace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from blendtune_api import codec
from blendtune_api.contract import RunConfig
from blendtune_api.v1alpha1 import (
    BlendedFineTune,
    BlendedFineTuneSpec,
    EpochModel,
    EvaluatedEpoch,
    EvaluatedModel,
    LoraExport,
    Method,
    ModelStatus,
    RubricEvalBaseline,
    RubricEvalCluster,
    RubricEvalSpec,
    Stage,
    TakenExport,
)
from blendtune_operator import names
from blendtune_operator.names import Kind, Object
from blendtune_operator.render.config import Pinned
from blendtune_operator.render.uris import base_model_uri, epoch_uri, workspace_storage


def rubric_eval(
    run: BlendedFineTune, pinned: Pinned[RunConfig], model: ModelStatus, epochs: Iterable[EpochModel]
) -> Object:
    """`model` and `epochs` are what the training exported; the evaluation refuses weights of another digest.

    Gates, cluster, credentials and pod come from the present spec, all else from the pinned configuration.
    """
    spec = pinned.config.spec
    evaluation, pod = spec.evaluation, run.spec.cluster.eval
    namespace, name = run.metadata.namespace, run.metadata.name
    baseline = EvaluatedModel(
        uri=base_model_uri(spec, namespace, name),
        revision=spec.model.revision,
        chat_template=spec.model.chat_template,
    )
    child = RubricEvalSpec(
        model=EvaluatedModel(uri=model.uri, digest=model.digest),
        storage=workspace_storage(spec.storage, namespace, name),
        baseline=RubricEvalBaseline(
            model=baseline if evaluation.baseline.enabled else None,
            system_prompt=evaluation.baseline.system_prompt,
        ),
        epochs=tuple(
            EvaluatedEpoch(
                epoch=each.epoch, uri=epoch_uri(spec.storage, namespace, name, each.epoch), digest=each.digest
            )
            for each in epochs
        ),
        rubric=evaluation.rubric,
        judge=evaluation.judge,
        sampling=evaluation.sampling,
        retention=evaluation.retention,
        thinking=spec.model.thinking,
        engine=evaluation.engine,
        benchmarks=evaluation.benchmarks,
        interpolation=evaluation.interpolation,
        export=_export_after_choice(spec),
        gates=run.spec.evaluation.gates,
        stop_when_decided=evaluation.stop_when_decided,
        cluster=RubricEvalCluster(
            gpus=evaluation.cluster.gpus,
            gpu_type=evaluation.cluster.gpu_type,
            queue_name=run.spec.cluster.queue_name,
            backoff_limit=run.spec.cluster.backoff_limit,
            eval=replace(pod, image=pod.image or pinned.config.images[Stage.EVAL]),
        ),
        credentials=run.spec.credentials,
    )
    return {
        "apiVersion": Kind.RUBRIC_EVAL.api_version,
        "kind": Kind.RUBRIC_EVAL.value,
        "metadata": names.metadata(run, names.rubric_eval(name), Stage.EVAL),
        "spec": codec.encode(child),
    }


def _export_after_choice(spec: BlendedFineTuneSpec) -> TakenExport | None:
    """Where the evaluation copies the model that it takes; None where the training copies its own."""
    if spec.export is None or spec.evaluation.interpolation is None:
        return None
    is_lora = spec.training.method is Method.LORA
    content = spec.training.lora.export if is_lora else LoraExport.MERGED
    return TakenExport(uri=spec.export.uri, content=content)
