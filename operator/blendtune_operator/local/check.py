"""What can be said of manifests before anything runs: refusals, the rubric, the children to come."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from blendtune_api import codec
from blendtune_api.contract import RUBRIC_FILE
from blendtune_api.v1alpha1 import BlendedFineTune, RubricEval, RubricReference
from blendtune_operator import render
from blendtune_operator.local.manifest import ManifestError, Manifests
from blendtune_operator.names import Kind, Object, Run
from blendtune_operator.plan.supported import refusals
from blendtune_operator.settings import Settings

GRACE_PERIOD = timedelta(minutes=2)


def local_settings() -> Settings:
    """The operator's defaults, with shorter waits: nothing here is shared with others."""
    return Settings(
        allow_file_uris=True,
        backoff_base=timedelta(seconds=1),
        backoff_cap=timedelta(seconds=10),
        grace_period=GRACE_PERIOD,
        progress_interval=timedelta(seconds=1),
    )


def check(manifests: Manifests) -> None:
    """Raises ManifestError with what the operator, this machine or the rubric's check would refuse."""
    faults = [*_refused(manifests), *_rubric_faults(manifests)]
    if faults:
        raise ManifestError(faults)


def _refused(manifests: Manifests) -> list[str]:
    """What the operator would not accept, and GPUs that this machine does not have."""
    settings = local_settings()
    faults = []
    for run, document in zip(manifests.objects, manifests.documents, strict=True):
        faults += [
            document.fault(refusal.fault.path, refusal.fault.message) for refusal in refusals(run, settings)
        ]
        if not faults:
            faults += [document.fault(path, message) for path, message in _missing_gpus(run, settings)]
    return faults


def children(run: Run) -> list[Object]:
    """Every child of the run and of its RubricEval, for kubectl: without owners, which have no UID yet."""
    settings = local_settings()
    result = []
    for child in render.children(run, settings):
        child["metadata"].pop("ownerReferences", None)
        result.append(child)
        if child["kind"] == Kind.RUBRIC_EVAL:
            evaluation = codec.decode_object(child)
            result += children(evaluation)
    return result


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
        if settings.gpu_presets[gpu_type].resource_name is not None and count > present:
            yield (
                path,
                f"{count} GPUs of type {gpu_type} are wanted, this machine has {present}: use gpuType cpu",
            )


def _rubric_faults(manifests: Manifests) -> Iterator[str]:
    for run, document in zip(manifests.objects, manifests.documents, strict=True):
        reference = run.spec.rubric if isinstance(run, RubricEval) else run.spec.evaluation.rubric
        path = "spec.rubric" if isinstance(run, RubricEval) else "spec.evaluation.rubric"
        yield from (document.fault(path, fault) for fault in _check_rubric(reference, manifests))


def _check_rubric(reference: RubricReference, manifests: Manifests) -> list[str]:
    """What the evaluation's own check, run in its own process, finds wrong with the rubric."""
    command = [sys.executable, "-m", "blendtune_eval", "check-rubric"]
    if reference.config_map_ref is None:
        return _faults([*command, "--builtin", str(reference.builtin)])
    name, key = reference.config_map_ref.name, reference.config_map_ref.key
    holder = next(document for document in manifests.config_maps if document.name == name)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / RUBRIC_FILE
        file.write_text(holder.value["data"][key])
        return [
            fault.replace(str(file), f"{holder.file}, {key}")
            for fault in _faults([*command, "--file", str(file)])
        ]


def _faults(command: list[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.strip()] if done.returncode else []
