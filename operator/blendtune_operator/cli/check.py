"""Checks manifests and their rubrics before anything runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from blendtune_api.blend_study import Bound
from blendtune_api.contract import RUBRIC_FILE, Env, RubricResult, decode_message
from blendtune_api.v1alpha1 import BlendedFineTune, Gate, RubricEval, RubricReference
from blendtune_core.power import QuestionCounts, why_unresolved
from blendtune_operator.cli.manifest import Document, ManifestError, Manifests, StudyManifest
from blendtune_operator.local.settings import local_settings
from blendtune_operator.names import Run
from blendtune_operator.plan.margins import too_fine
from blendtune_operator.plan.study.validation import study_refusals
from blendtune_operator.plan.supported import refusals
from blendtune_operator.settings import Settings


@dataclass(frozen=True, slots=True)
class Checked:
    """Warnings of gates that the rubric is too small for, with file and line; and each run's questions."""

    warnings: tuple[str, ...]
    questions: tuple[tuple[Run, QuestionCounts], ...]


def check(manifests: Manifests, *, to_run_here: bool, settings: Settings | None = None) -> Checked:
    """What stands against manifests that could run, by the settings of local mode unless others are given.

    Raises ManifestError with what the operator or the rubric's check would refuse, and, where it is
    `to_run_here`, with GPUs that this machine lacks.
    """
    faults, warnings, questions = _refused(manifests, settings or local_settings(), to_run_here), [], []
    for run, document in zip(manifests.objects, manifests.documents, strict=True):
        reference = run.spec.rubric if isinstance(run, RubricEval) else run.spec.evaluation.rubric
        path = "spec.rubric" if isinstance(run, RubricEval) else "spec.evaluation.rubric"
        checked = _check_rubric(reference, manifests.config_maps)
        if isinstance(checked, RubricResult):
            questions.append((run, _counts(checked)))
            found = too_fine(run, _counts(checked))
            warnings += [document.fault(fault.path, fault.message) for fault in found]
        else:
            faults += [document.fault(path, fault) for fault in checked]
    if faults:
        raise ManifestError(faults)
    return Checked(tuple(warnings), tuple(questions))


def check_study(manifest: StudyManifest, *, to_run_here: bool, settings: Settings | None = None) -> Checked:
    """What stands against a study, its bound and its template, which is the only run told of.

    Raises ManifestError as `check` does.
    """
    study, settings, template = manifest.study, settings or local_settings(), "spec.template"
    faults = [(refusal.fault.path, refusal.fault.message) for refusal in study_refusals(study, settings)]
    run = BlendedFineTune(metadata=study.metadata, spec=study.spec.template.spec)
    if to_run_here and not faults:
        faults += [(f"{template}.{path}", message) for path, message in _missing_gpus(run, settings)]
    warnings: list[tuple[str, str]] = []
    questions = []
    checked = _check_rubric(run.spec.evaluation.rubric, manifest.config_maps)
    if isinstance(checked, RubricResult):
        counts = _counts(checked)
        questions.append((run, counts))
        bound = study.spec.objective.subject_to
        fine = why_unresolved(as_gate(bound), counts)
        field = "maxDrop" if bound.max_rise is None else "maxRise"
        warnings += [(f"spec.objective.subjectTo.{field}", fine)] if fine else []
        warnings += [(f"{template}.{fault.path}", fault.message) for fault in too_fine(run, counts)]
    else:
        faults += [(f"{template}.spec.evaluation.rubric", fault) for fault in checked]
    if faults:
        raise ManifestError([manifest.document.fault(path, message) for path, message in faults])
    told = tuple(manifest.document.fault(path, message) for path, message in warnings)
    return Checked(told, tuple(questions))


def as_gate(bound: Bound) -> Gate:
    """The gate that asks of a run what a study's bound asks of a setting."""
    return Gate(metric=bound.metric, name=bound.name, max_drop=bound.max_drop, max_rise=bound.max_rise)


def print_warnings(warnings: Iterable[str], console: Console) -> None:
    for warning in warnings:
        console.print(f"warning: {warning}", style="yellow", highlight=False, soft_wrap=True, markup=False)


def _refused(manifests: Manifests, settings: Settings, to_run_here: bool) -> list[str]:
    faults: list[str] = []
    for run, document in zip(manifests.objects, manifests.documents, strict=True):
        faults += refused(run, document, settings)
        if to_run_here and not faults:
            faults += [document.fault(path, message) for path, message in _missing_gpus(run, settings)]
    return faults


def refused(run: Run, document: Document, settings: Settings) -> list[str]:
    """Why the operator would not accept a run, each reason with file and line."""
    return [document.fault(refusal.fault.path, refusal.fault.message) for refusal in refusals(run, settings)]


def _missing_gpus(run: Run, settings: Settings) -> Iterator[tuple[str, str]]:
    present = len(list(Path("/dev").glob("nvidia[0-9]*")))
    if isinstance(run, BlendedFineTune):
        cluster, evaluation = run.spec.cluster, run.spec.evaluation.cluster
        wanted = {
            "spec.cluster.gpuType": (cluster.gpu_type, cluster.nodes * cluster.gpus_per_node),
            "spec.evaluation.cluster.gpuType": (evaluation.gpu_type, evaluation.gpus),
        }
    else:
        wanted = {"spec.cluster.gpuType": (run.spec.cluster.gpu_type, run.spec.cluster.gpus)}
    for path, (gpu_type, count) in wanted.items():
        if settings.gpu_presets[gpu_type].is_gpu and count > present:
            yield (
                path,
                f"{count} GPUs of type {gpu_type} are wanted, this machine has {present}: use gpuType cpu",
            )


def _check_rubric(reference: RubricReference, config_maps: Sequence[Document]) -> RubricResult | list[str]:
    """The result of the evaluation's own check of the rubric, run in its own process, or the faults."""
    with tempfile.TemporaryDirectory() as folder:
        general = ["--general-from", reference.general_from] if reference.general_from else []
        if reference.config_map_ref is None:
            return _run_check(["--builtin", str(reference.builtin), *general], Path(folder))
        name, key = reference.config_map_ref.name, reference.config_map_ref.key
        holder = next(document for document in config_maps if document.name == name)
        file = Path(folder) / RUBRIC_FILE
        file.write_text(holder.value["data"][key])
        checked = _run_check(["--file", str(file), *general], Path(folder))
        if isinstance(checked, RubricResult):
            return checked
        return [fault.replace(str(file), f"{holder.file}, {key}") for fault in checked]


def _counts(checked: RubricResult) -> QuestionCounts:
    return QuestionCounts(general=checked.general, in_domain=checked.in_domain)


def _run_check(options: list[str], folder: Path) -> RubricResult | list[str]:
    message = folder / "message.json"
    command = [sys.executable, "-m", "blendtune_eval", "check-rubric", *options]
    environment = {**os.environ, Env.TERMINATION_LOG: str(message)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        checked = decode_message(message.read_text())
        if isinstance(checked, RubricResult):
            return checked
    return [line for line in done.stderr.splitlines() if line.strip()]
