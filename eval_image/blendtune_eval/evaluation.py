"""An evaluation that is about to run: models, questions, judge and places, all of them read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from blendtune_api.contract import EvalConfig, Workspace, digest_of, workspace
from blendtune_api.shared_folder import shared_folder
from blendtune_api.v1alpha1 import Engine, EvaluationDigests
from blendtune_eval.answering.subjects import Subject, open_epochs, open_subjects
from blendtune_eval.benchmarks import Benchmarks, open_benchmarks
from blendtune_eval.judging.judge import Judge
from blendtune_eval.judging.judges import judge_for
from blendtune_eval.rubric import Rubric
from blendtune_eval.rubrics.reference import load_rubric
from blendtune_eval.training import TrainingRecord, read_training
from blendtune_runtime.errors import Transient
from blendtune_runtime.program import load_config

JUDGEMENTS_FOLDER = "judgements"
BENCHMARK_RESULTS_FOLDER = "benchmark-results"
DOWNLOADS_FOLDER = "models"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """`compared` holds the model and, where there is one, its baseline; `epochs` the model at earlier epochs.

    `training` is the run that made the model, where it is known.
    """

    config: EvalConfig
    place: Workspace
    known_answers: Path
    rubric: Rubric
    judge: Judge
    training: TrainingRecord | None
    compared: tuple[Subject, ...]
    epochs: tuple[Subject, ...]
    benchmarks: Benchmarks | None

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """All that are asked."""
        return (*self.compared, *self.epochs)

    @property
    def digests(self) -> tuple[EvaluationDigests, ...]:
        """What decided the scores of each that is compared."""
        return tuple(map(self._digests, self.compared))

    @property
    def identity(self) -> str:
        """The digest of all that decides the result."""
        spec, benchmarks = self.config.spec, self.benchmarks
        asked = [self._digests(subject) for subject in self.subjects]
        return digest_of(
            [spec.gates, spec.baseline.system_prompt, asked, benchmarks.digest if benchmarks else None]
        )

    @property
    def benchmark_results(self) -> Path:
        return self.known_answers.with_name(BENCHMARK_RESULTS_FOLDER)

    def _digests(self, subject: Subject) -> EvaluationDigests:
        decoding = subject.decoding
        return EvaluationDigests(
            model=subject.checkpoint.digest,
            rubric=self.rubric.digest,
            judge=self.judge.digest,
            template=digest_of(decoding.template),
            decoding=replace(decoding, template="").digest,
        )


def open_evaluation(environment: Mapping[str, str]) -> Evaluation:
    """Raises StageError where rubric, model or configuration is at fault."""
    config, claims = load_config(EvalConfig, environment)
    spec = config.spec
    _require_gpus(config)
    rubric = load_rubric(spec.rubric, environment)
    place = workspace(claims, spec.storage, config.namespace, config.name)
    benchmarks = open_benchmarks(spec, claims)
    judge = judge_for(config, environment, place.root / JUDGEMENTS_FOLDER)
    training = read_training(config, claims, rubric)
    downloads = place.root / DOWNLOADS_FOLDER
    compared = open_subjects(config, claims, downloads, rubric, trained=training is not None)
    epochs = open_epochs(config, claims, downloads, rubric, compared[0].chat)
    return Evaluation(
        config=config,
        place=place,
        known_answers=shared_folder(claims, spec.storage, config.namespace, config.name).answers,
        rubric=rubric,
        judge=judge,
        training=training,
        compared=tuple(compared),
        epochs=tuple(epochs),
        benchmarks=benchmarks,
    )


def _require_gpus(config: EvalConfig) -> None:
    """Raises StageError where models would be run on the CPU though the preset promises GPUs."""
    spec, promised = config.spec, config.gpu.is_gpu and config.spec.cluster.gpus > 0
    runs_models = spec.engine is Engine.TRANSFORMERS or bool(spec.benchmarks)  # vLLM has a CUDA of its own
    if promised and runs_models and not torch.cuda.is_available():
        raise Transient(
            f"CUDA sees no GPU, and spec.cluster promises {spec.cluster.gpus} of type {config.gpu.name}. "
            "Look at the driver and the device plugin of the node, and at the runtimeClassName of the pod"
        )
