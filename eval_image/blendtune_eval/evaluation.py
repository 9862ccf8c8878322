"""An evaluation that is about to run: its models, questions, judge and folders, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from blendtune_api.contract import EvalConfig, Workspace, digest_of, workspace
from blendtune_api.shared_folder import shared_folder
from blendtune_api.v1alpha1 import Engine, EvaluationDigests
from blendtune_core.sequential import LOOKS
from blendtune_core.verdict import not_comparable
from blendtune_eval.answering.checkpoints import Places
from blendtune_eval.answering.subjects import (
    EarlierEpoch,
    Subject,
    WeighedModel,
    open_baseline,
    open_epochs,
    open_model,
)
from blendtune_eval.answering.tensor_parallel import require_divisible
from blendtune_eval.benchmarks import Benchmarks, open_benchmarks
from blendtune_eval.judging.judge import Judge
from blendtune_eval.judging.judges import judge_for
from blendtune_eval.rubric import Rubric
from blendtune_eval.rubrics.reference import load_rubric
from blendtune_eval.training import TrainingRecord, asked_as, read_training
from blendtune_runtime.errors import Transient
from blendtune_runtime.program import load_config

JUDGEMENTS_FOLDER = "judgements"
BENCHMARK_RESULTS_FOLDER = "benchmark-results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The models to ask, with all that is needed to ask and judge them.

    `training` is what the run that made the model left; None for a model of unknown origin. `model` is whose
    scores count: the `tuned` one, which the spec names, unless another of the `candidates` is taken.
    """

    config: EvalConfig
    claims: Path
    place: Workspace
    answers_folder: Path
    rubric: Rubric
    judge: Judge
    training: TrainingRecord | None
    model: Subject
    tuned: Subject
    baseline: Subject | None
    epochs: tuple[EarlierEpoch, ...]
    benchmarks: Benchmarks | None
    candidates: tuple[WeighedModel, ...] = ()

    @property
    def compared(self) -> tuple[Subject, ...]:
        """The model and, where there is one, its baseline."""
        return (self.model,) if self.baseline is None else (self.model, self.baseline)

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """All models that are asked, each once."""
        weighed = (each.subject for each in self.candidates)
        earlier = (each.subject for each in self.epochs)
        return tuple(dict.fromkeys((*self.compared, self.tuned, *weighed, *earlier)))

    @property
    def choosable(self) -> tuple[Subject, ...]:
        """The models of which one is taken, the tuned one last."""
        return (*(each.subject for each in self.candidates), self.tuned)

    @property
    def digests(self) -> EvaluationDigests:
        """What decides the scores."""
        baseline = self.baseline.checkpoint.digest if self.baseline is not None else ""
        return replace(self._digests(self.model), baseline=baseline)

    @property
    def not_compared(self) -> str:
        """Why model and baseline may not be compared; empty where they may, or there is no baseline."""
        if self.baseline is None:
            return ""
        return not_comparable(self._digests(self.model), self._digests(self.baseline))

    @property
    def identity(self) -> str:
        """The digest of all that decides the result."""
        spec, benchmarks = self.config.spec, self.benchmarks
        given = (self.tuned, *self.compared[1:], *(earlier.subject for earlier in self.epochs))
        asked = [self._digests(subject) for subject in given]
        return digest_of(
            [
                spec.gates,
                spec.baseline.system_prompt,
                spec.retention,
                asked,
                benchmarks.digest if benchmarks else None,
                *([LOOKS] if spec.stop_when_decided else []),
                *([spec.interpolation] if spec.interpolation else []),
            ]
        )

    @property
    def benchmark_results(self) -> Path:
        return self.answers_folder.with_name(BENCHMARK_RESULTS_FOLDER)

    def _digests(self, subject: Subject) -> EvaluationDigests:
        decoding = subject.decoding
        return EvaluationDigests(
            model=subject.checkpoint.digest,
            rubric=self.rubric.digest,
            judge=self.judge.digest,
            template=decoding.rendering,
            decoding=replace(decoding, rendering="").digest,
        )


def open_evaluation(environment: Mapping[str, str]) -> Evaluation:
    """Reads and checks everything before a model is loaded.

    Raises BadConfiguration, BadRubric or BadModel where the configuration, the rubric or a model is at fault;
    Transient where a store does not answer or promised GPUs are not there.
    """
    config, claims = load_config(EvalConfig, environment)
    spec = config.spec
    _require_gpus(config)
    rubric = load_rubric(spec.rubric, environment)
    place = workspace(claims, spec.storage, config.namespace, config.name)
    benchmarks = open_benchmarks(spec, claims)
    judge = judge_for(config, environment, place.root / JUDGEMENTS_FOLDER)
    training = read_training(config, claims, rubric)
    shared = shared_folder(claims, spec.storage, config.namespace, config.name)
    places, trained = Places(claims=claims, downloads=shared.models, uid=config.uid), training is not None
    rendering = asked_as(config, training)
    model = open_model(config, places, rubric, trained=trained, rendering=rendering)
    baseline = open_baseline(config, places, rubric, model.chat, trained=trained, rendering=rendering)
    epochs = open_epochs(config, places, rubric, model.chat)
    if spec.engine is Engine.VLLM:
        for subject in (model, *filter(None, [baseline]), *(earlier.subject for earlier in epochs)):
            require_divisible(subject.checkpoint.folder, spec.cluster.gpus)
    return Evaluation(
        config=config,
        claims=claims,
        place=place,
        answers_folder=shared.answers,
        rubric=rubric,
        judge=judge,
        training=training,
        model=model,
        tuned=model,
        baseline=baseline,
        epochs=epochs,
        benchmarks=benchmarks,
    )


def _require_gpus(config: EvalConfig) -> None:
    """Raises Transient where models would run on the CPU although the preset promises GPUs."""
    spec, promised = config.spec, config.gpu.is_gpu and config.spec.cluster.gpus > 0
    runs_models = spec.engine is Engine.TRANSFORMERS or bool(spec.benchmarks)  # vLLM has a CUDA of its own
    if promised and runs_models and not torch.cuda.is_available():
        raise Transient(
            f"CUDA sees no GPU, and spec.cluster promises {spec.cluster.gpus} of type {config.gpu.name}. "
            "Look at the driver and the device plugin of the node, and at the runtimeClassName of the pod"
        )
