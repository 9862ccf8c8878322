"""The training of one run: load or resume, train, export and write the result."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from blendtune_api.contract import (
    BlendResult,
    Layout,
    MessageError,
    RunConfig,
    TrainResult,
    Workspace,
    decode_message,
    digest_of,
    encode_message,
    weights_digest,
)
from blendtune_api.v1alpha1 import AfterSuccess, LoraExport, Method, Stage, Training
from blendtune_core.sizing.cost import flops_per_token
from blendtune_core.sizing.describe import describe_layout
from blendtune_core.sizing.layout import Setup
from blendtune_runtime.chat.tokenizer import load_tokenizer
from blendtune_runtime.errors import BadData
from blendtune_runtime.files import write_text
from blendtune_runtime.models.upload import upload
from blendtune_runtime.uris import StorePath, store_path
from blendtune_trainer.blending.lineage import Lineage, read_lineage
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.model.base_model import base_model_folder
from blendtune_trainer.model.load import training_dtype
from blendtune_trainer.model.memory import sizing_setup
from blendtune_trainer.ranks.group import Ranks
from blendtune_trainer.ranks.signals import StopRequest
from blendtune_trainer.ranks.watchdog import Watchdog
from blendtune_trainer.record.progress import ProgressBoard
from blendtune_trainer.record.trackers import TrackedRun
from blendtune_trainer.record.tracking import check_libraries, tracking
from blendtune_trainer.stage import Run, load_result, save_result
from blendtune_trainer.training.base_predictions import BASE_PREDICTIONS_FILE, base_predictions
from blendtune_trainer.training.checkpoint import Checkpoints, Identity, Pointer
from blendtune_trainer.training.compared import compared_positions
from blendtune_trainer.training.divergence import Compared
from blendtune_trainer.training.engine import load_engine, resumable_layout
from blendtune_trainer.training.epochs import EpochModels
from blendtune_trainer.training.export import export_adapted_model, export_model
from blendtune_trainer.training.loop import TrainingLoop
from blendtune_trainer.training.plan import Plan, make_plan, planned_models
from blendtune_trainer.training.report import TrainingReport
from blendtune_trainer.training.separation import require_separation
from blendtune_trainer.training.throughput import model_flops_utilisation
from blendtune_trainer.training.validation import record

EXPORTED_FILE = "exported.json"  # the result, written once the models are in the workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A run to train, and what one rank needs for it."""

    run: Run
    ranks: Ranks
    board: ProgressBoard
    stop: StopRequest
    watchdog: Watchdog

    @property
    def config(self) -> RunConfig:
        return self.run.config

    @property
    def workspace(self) -> Workspace:
        return self.run.workspace


def train(job: Job) -> TrainResult:
    """Trains, exports and returns the result. If an earlier attempt has exported it, nothing is trained.

    Every rank calls it and returns the same result. Rank 0 returns last, because it alone copies the model to
    `spec.export`. Raises BadData without a blend, BadConfiguration or BadModel for what cannot be trained,
    OtherCheckpoint, and the errors of `TrainingLoop.run` and `upload`.
    """
    check_libraries(job.config.spec.training.tracking)
    blend = open_blend(job.config, job.workspace)
    identity = Identity.of(job.config, blend.digest)
    expected = planned_models(job.config.spec, blend)
    result: TrainResult | None = job.ranks.broadcast(
        exported_result(job.workspace, identity, expected) if job.ranks.is_first else None
    )
    if result is None:
        result = _train_and_export(job, blend, identity)
    job.ranks.destroy_process_group()
    if job.ranks.is_first:
        _publish(job, result)
    return result


def open_blend(config: RunConfig, workspace: Workspace) -> PackedBlend:
    """The packed blend of a run. Raises BadData if it is incomplete, empty or of another sequence length."""
    blend = PackedBlend.open(workspace.blend)
    if blend.sequence_length != config.spec.training.sequence_length:
        raise BadData(
            f"{workspace.blend} holds bins of {blend.sequence_length} tokens, spec.training.sequenceLength "
            f"is {config.spec.training.sequence_length}; run the blend stage again"
        )
    if blend.num_bins == 0:
        raise BadData(f"{workspace.blend} holds no bin to train on; run the blend stage again")
    return blend


def exported_result(
    workspace: Workspace, identity: Identity, expected: Mapping[int, int]
) -> TrainResult | None:
    """The result of an earlier attempt of the same run, if all its models are in the workspace.

    `expected` are the models of `planned_models`.
    """
    try:
        result = decode_message((workspace.train / EXPORTED_FILE).read_text())
    except (FileNotFoundError, MessageError):
        return None
    if not isinstance(result, TrainResult) or not workspace.model.is_dir():
        return None
    present = {model.step for model in result.epochs if workspace.epoch(model.epoch).model.is_dir()}
    if any(step <= result.steps and step not in present for step in expected):
        return None
    same_run = (result.config_digest, result.blend_digest) == (identity.config_digest, identity.blend_digest)
    return result if same_run and result.model_digest == weights_digest(workspace.model) else None


def _train_and_export(job: Job, blend: PackedBlend, identity: Identity) -> TrainResult:
    config, ranks = job.config, job.ranks
    training = config.spec.training
    base = base_model_folder(config.spec.model, job.run.claims, job.run.shared)
    setup = sizing_setup(config.spec, base, config.gpu, ranks.world_size)
    token_flops = flops_per_token(setup.shape, setup.weights, training.sequence_length)
    checkpoints = Checkpoints(job.workspace.checkpoints, identity, training.checkpoint.keep)
    loaded = _load(job, base, setup, checkpoints, blend)
    engine, first_step = loaded.engine, loaded.first_step

    plan = make_plan(config.spec, blend, loaded.layout.bins_per_micro_batch)
    trackers = training.tracking if ranks.is_first else ()
    with tracking(trackers, _tracked(job, identity, first_step)) as tracked:
        report = TrainingReport(job.workspace, job.board, ranks, config.gpu, token_flops, tracked)
        report.resume(first_step, plan.steps)
        epoch_models = EpochModels(
            job.workspace,
            ranks,
            plan.epoch_models,
            lambda target, step: _export(job, engine, base, target, _lineage(job, blend, plan, step)),
            first_step,
        )
        earlier = report.totals().rank_seconds
        started = time.monotonic()
        loop = TrainingLoop(
            engine=engine,
            blend=blend,
            training=training,
            plan=plan,
            ranks=ranks,
            stage=loaded.layout.zero_stage,
            checkpoints=checkpoints,
            report=report,
            stop=job.stop,
            watchdog=job.watchdog,
            epoch_models=epoch_models,
            compared=loaded.compared,
        )
        report.set_phase("training")
        with job.watchdog.watching():
            last_step = loop.run(first_step)
    gpu_seconds = earlier + (time.monotonic() - started) * ranks.world_size

    report.set_phase("exporting")
    _export(job, engine, base, job.workspace, _lineage(job, blend, plan, last_step))
    result = None
    if ranks.is_first:
        stopped = report.reason_to_stop(training.early_stopping) if last_step < plan.steps else ""
        result = replace(
            _result(job, identity, report, epoch_models, token_flops, gpu_seconds),
            divergence=report.divergence(loaded.compared.counts() if loaded.compared else {}),
            stopped_early=stopped and f"at step {last_step} of {plan.steps}: {stopped}",
        )
        write_text(job.workspace.train / EXPORTED_FILE, encode_message(result))
    exported: TrainResult = ranks.broadcast(result)
    return exported


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    """The engine, restored from a checkpoint if there was one."""

    engine: Any
    layout: Layout
    first_step: int  # optimizer steps taken by then
    compared: Compared | None


def _load(job: Job, base: Path, setup: Setup, checkpoints: Checkpoints, blend: PackedBlend) -> _Loaded:
    """Loads the model in `base` or, to resume, the last checkpoint; every rank calls it.

    What the base model predicts is taken down in between, while its weights are still those in `base`.
    """
    config, ranks = job.config, job.ranks
    training = config.spec.training
    pointer = _resumable(checkpoints, ranks)
    layout = resumable_layout(setup, pointer)
    if ranks.is_first:
        kernels = ", liger" if setup.fused else ""
        print(f"{describe_layout(layout, training.sequence_length)}{kernels}", flush=True)
    engine = load_engine(base, config, ranks, layout, pointer)
    dtype = training_dtype(training.precision, ranks.device)
    if require_separation(engine, ranks, dtype, setup.shape.vocabulary_size):
        layout = replace(layout, bins_per_micro_batch=1)  # a mask grows with the square of the row
    compared = _compared(job, engine, blend, setup.shape.vocabulary_size)
    if pointer:
        checkpoints.load(engine, ranks, pointer)
    first_step = pointer.step if pointer else 0
    return _Loaded(engine=engine, layout=layout, first_step=first_step, compared=compared)


def _compared(job: Job, engine: Any, blend: PackedBlend, vocabulary_size: int) -> Compared | None:
    """What validation compares with, by an untrained `engine`; None if nothing is to be compared.

    Raises BadConfiguration as `compared_positions`, Preempted after a stop signal on any rank.
    """
    positions = compared_positions(job.config.spec, blend)
    if not len(positions):
        return None
    blended = load_result(job.run, Stage.BLEND, BlendResult)
    model = blended.base_model_digest if blended else ""
    identity = digest_of([model, job.config.digest, blend.digest])

    def requested() -> bool:
        job.watchdog.beat()
        return job.stop.requested

    with job.watchdog.watching():
        base = base_predictions(
            job.workspace.train / BASE_PREDICTIONS_FILE,
            identity,
            job.ranks,
            lambda: record(engine, blend, job.ranks, positions, vocabulary_size, requested),
        )
    return Compared(positions=positions, base=base)


def _tracked(job: Job, identity: Identity, first_step: int) -> TrackedRun:
    return TrackedRun(
        uid=job.config.uid,
        name=f"{job.config.namespace}/{job.config.name}",
        settings=identity.settings,
        folder=job.workspace.train / "tracking",
        first_step=first_step,
    )


def _resumable(checkpoints: Checkpoints, ranks: Ranks) -> Pointer | None:
    """The checkpoint to resume from, the same on all ranks. Later and incomplete ones are removed."""
    pointer = None
    if ranks.is_first:
        pointer = checkpoints.latest()
        checkpoints.remove_all_after(pointer.step if pointer else 0)
        if pointer:
            print(f"resuming from the checkpoint of step {pointer.step}", flush=True)
    found: Pointer | None = ranks.broadcast(pointer)
    return found


def _lineage(job: Job, blend: PackedBlend, plan: Plan, step: int) -> Lineage | None:
    """The position in the sources after `step` steps; None if the blend has no lineage."""
    start = read_lineage(job.workspace.blend)
    return start.after(blend, min(step * plan.bins_per_step, blend.num_bins)) if start else None


def _export(job: Job, engine: Any, base: Path, target: Workspace, lineage: Lineage | None) -> None:
    """Exports the model, and the adapter of a LoRA, to `target`; every rank calls it."""
    training, ranks = job.config.spec.training, job.ranks
    tokenizer = load_tokenizer(base, job.config.spec.model.chat_template)
    if training.method is Method.FULL:
        export_model(engine, base, tokenizer, ranks, target.model, lineage)
        return
    dtype = training_dtype(training.precision, ranks.device)
    export_adapted_model(
        engine, base, dtype, tokenizer, ranks, adapter=target.adapter, model=target.model, lineage=lineage
    )


def _result(
    job: Job,
    identity: Identity,
    report: TrainingReport,
    epoch_models: EpochModels,
    token_flops: float,
    gpu_seconds: float,
) -> TrainResult:
    totals = report.totals()
    rate = totals.tokens / totals.rank_seconds if totals.rank_seconds > 0 else None
    return TrainResult(
        config_digest=identity.config_digest,
        blend_digest=identity.blend_digest,
        steps=totals.steps,
        tokens=totals.tokens,
        model_digest=weights_digest(job.workspace.model),
        final_loss=totals.final_loss,
        validation_loss=report.validation_losses(),
        gpu_seconds=gpu_seconds,
        tokens_per_second_per_gpu=rate,
        mfu=model_flops_utilisation(rate, token_flops, job.config.gpu.peak_flops),
        epochs=epoch_models.exported(),
    )


def exported_folder(training: Training, workspace: Workspace) -> Path:
    """The folder that is copied to `spec.export`: the model, or only its adapter."""
    only_adapter = training.method is Method.LORA and training.lora.export is LoraExport.ADAPTER
    return workspace.adapter if only_adapter else workspace.model


def _export_target(job: Job) -> StorePath | None:
    """Where the model is copied to, if anywhere. By interpolation the evaluation copies the one it takes."""
    spec = job.config.spec
    if spec.export is None or spec.evaluation.interpolation is not None:
        return None
    return store_path(spec.export.uri, job.run.claims, "spec.export.uri")


def _publish(job: Job, result: TrainResult) -> None:
    """Copies the model to `spec.export`, saves the result and removes checkpoints that are not to be kept."""
    spec = job.config.spec
    if target := _export_target(job):
        upload(exported_folder(spec.training, job.workspace), target)
    save_result(job.run, Stage.TRAIN, result)
    if spec.training.checkpoint.after_success is AfterSuccess.DELETE:
        shutil.rmtree(job.workspace.checkpoints, ignore_errors=True)
