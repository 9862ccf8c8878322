"""The models between the baseline and the tuned one: written, and but for the one that is taken removed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from blendtune_api.contract import (
    EvalResult,
    Workspace,
    storage_path,
    weight_files,
    weights_digest,
    workspace,
)
from blendtune_api.v1alpha1 import InterpolationStatus, LoraExport
from blendtune_core.gates import judge_gates
from blendtune_core.interpolation import TUNED, best, candidate, told_choice
from blendtune_eval.answering.checkpoints import Checkpoint
from blendtune_eval.answering.subjects import Subject, WeighedModel
from blendtune_eval.evaluation import Evaluation
from blendtune_runtime.errors import BadConfiguration, StorageFull
from blendtune_runtime.models.interpolation import (
    ADAPTER_CONFIG,
    Origin,
    origin_of,
    write_interpolated,
    write_scaled_adapter,
)
from blendtune_runtime.models.upload import upload
from blendtune_runtime.uris import store_path

_FIELD = "spec.interpolation"


def with_candidates(evaluation: Evaluation) -> Evaluation:
    """The evaluation with the models that the spec asks for, each written to the workspace.

    Those that an earlier attempt has written are taken over. Raises BadConfiguration where the two models are
    asked in different words, BadModel where they are not of one architecture, and StorageFull.
    """
    base, tuned, asked = evaluation.baseline, evaluation.tuned, evaluation.config.spec.interpolation
    if asked is None or base is None:
        return evaluation
    if not tuned.chat.shares_vocabulary(base.chat):
        raise BadConfiguration(f"{_FIELD}: model and baseline have different vocabularies: leave it out")
    places = {weight: evaluation.place.interpolated(weight) for weight in sorted(asked.weights)}
    origin = Origin(base=base.checkpoint.digest, tuned=tuned.checkpoint.digest)
    missing = {weight: place for weight, place in places.items() if origin_of(place.model) != origin}
    _require_room(tuned.checkpoint.folder, list(missing.values()))
    for weight, place in missing.items():
        print(f"writing the model of weight {weight:g}, between base and tuned model", flush=True)
        write_interpolated(base.checkpoint.folder, tuned.checkpoint.folder, weight, place.model, origin)
    return replace(
        evaluation,
        candidates=tuple(
            WeighedModel(weight=weight, subject=_subject(evaluation, weight, place))
            for weight, place in places.items()
        ),
    )


def choose(
    evaluation: Evaluation, results: Mapping[Subject, EvalResult]
) -> tuple[Evaluation, InterpolationStatus]:
    """The evaluation with the best of its candidates as its model, and how it came to that.

    `results` are those of each model that may be taken.
    """
    weights = {each.subject: each.weight for each in evaluation.candidates} | {evaluation.tuned: TUNED}
    gates = evaluation.config.spec.gates
    candidates = [
        candidate(weights[model], result, judge_gates(gates, result)) for model, result in results.items()
    ]
    weight = best(candidates).weight
    taken = next(model for model in results if weights[model] == weight)
    status = InterpolationStatus(
        weight=weight,
        uri=taken.checkpoint.uri,
        digest=taken.checkpoint.digest,
        tuned_uri=evaluation.tuned.checkpoint.uri,
        tuned_digest=evaluation.tuned.checkpoint.digest,
        candidates=tuple(candidates),
    )
    print(told_choice(status), flush=True)
    return replace(evaluation, model=taken), status


def keep_only_taken(evaluation: Evaluation) -> None:
    """Removes the candidates that were not taken, and scales the adapter of a LoRA as the one that was."""
    for each in evaluation.candidates:
        place = evaluation.place.interpolated(each.weight)
        if each.subject is not evaluation.model:
            shutil.rmtree(place.root, ignore_errors=True)
            continue
        adapter = _adapter(evaluation)
        if adapter is not None:
            write_scaled_adapter(adapter, each.weight, place.adapter)


def copy_taken(evaluation: Evaluation) -> None:
    """Copies the model that was taken, or its adapter, to `spec.export`.

    Raises BadConfiguration where there is no adapter, and what `upload` does.
    """
    export = evaluation.config.spec.export
    if export is None:
        return
    folder = evaluation.model.checkpoint.folder
    if export.content is LoraExport.ADAPTER:
        adapter = _adapter(evaluation)
        if adapter is None:
            raise BadConfiguration("spec.export.content: there is no adapter of the model: take Merged")
        folder = adapter if evaluation.model is evaluation.tuned else folder.with_name(adapter.name)
    upload(folder, store_path(export.uri, evaluation.claims, "spec.export.uri"))


def _adapter(evaluation: Evaluation) -> Path | None:
    """The adapter that the run of the tuned model left; None without one."""
    config = evaluation.config
    if config.training_workspace is None:
        return None
    place = workspace(evaluation.claims, config.training_workspace, config.namespace, config.name)
    return place.adapter if (place.adapter / ADAPTER_CONFIG).is_file() else None


def _subject(evaluation: Evaluation, weight: float, place: Workspace) -> Subject:
    """The model in a folder, asked as the tuned one is."""
    config = evaluation.config
    folder = storage_path(config.spec.storage, config.namespace, config.name)
    uri = f"pvc://{folder / place.model.relative_to(evaluation.place.root)}"
    checkpoint = Checkpoint(uri=uri, folder=place.model, digest=weights_digest(place.model))
    return replace(evaluation.tuned, label=f"weight {weight:g}", checkpoint=checkpoint)


def _require_room(tuned: Path, missing: Sequence[Workspace]) -> None:
    """Raises StorageFull where the models to write need more bytes than are free."""
    if not missing:
        return
    each = sum(file.stat().st_size for file in weight_files(tuned))
    free = shutil.disk_usage(_first_that_exists(missing[0].root)).free
    if each * len(missing) > free:
        raise StorageFull(
            f"{_FIELD}: {len(missing)} models of {each / 1e9:,.1f} GB do not fit into the "
            f"{free / 1e9:,.1f} GB that are free: free some on the workspace's claim, or ask fewer weights"
        )


def _first_that_exists(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())
