"""What the run that trained the model recorded: its blend, its losses, rubric questions in its rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Any

from blendtune_api.contract import (
    BlendResult,
    EvalConfig,
    MessageError,
    Outcome,
    TrainResult,
    Workspace,
    decode_message,
    workspace,
)
from blendtune_api.v1alpha1 import Role, RoleDivergence, Stage, Thinking
from blendtune_core.diagnosis import Trained
from blendtune_eval.rubric import Rubric
from blendtune_runtime.chat.rendering import Rendering

_INPUTS_FILE = "inputs.json"  # in the blend's folder: the sources, and the wordings found in their rows


@dataclass(frozen=True, slots=True)
class LossPoint:
    step: int
    loss: float  # nats per supervised token


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRecord:
    """A part that the run did not record is empty.

    `contaminated` are the ids of the questions whose wordings were found in the training rows; None where the
    rows were not searched for this rubric's wordings.
    """

    trained: Trained = field(default_factory=Trained)
    rendering: Rendering | None = None
    loss: tuple[LossPoint, ...] = ()
    divergence: tuple[RoleDivergence, ...] = ()
    stopped_early: str = ""
    contaminated: tuple[str, ...] | None = None


def read_training(config: EvalConfig, claims: Path, rubric: Rubric) -> TrainingRecord | None:
    """The record of the run that trained the model; None for a model of unknown origin."""
    if config.training_workspace is None:
        return None
    place = workspace(claims, config.training_workspace, config.namespace, config.name)
    blend = _outcome(place, Stage.BLEND)
    train = _outcome(place, Stage.TRAIN)
    return TrainingRecord(
        trained=Trained(
            roles=_roles(place),
            sources=blend.sources if isinstance(blend, BlendResult) else (),
            validation_loss=train.validation_loss if isinstance(train, TrainResult) else (),
        ),
        rendering=_rendering(blend) if isinstance(blend, BlendResult) else None,
        loss=_losses(place),
        divergence=train.divergence if isinstance(train, TrainResult) else (),
        stopped_early=train.stopped_early if isinstance(train, TrainResult) else "",
        contaminated=_contaminated(place, rubric),
    )


def asked_as(config: EvalConfig, training: TrainingRecord | None) -> Rendering:
    """How the models are asked: as the model was trained, unless the spec says otherwise."""
    trained = training.rendering if training else None
    rendering = trained or Rendering(date=date.fromisoformat(config.date))
    wanted = config.spec.thinking
    return rendering if wanted is Thinking.AUTO else replace(rendering, thinking=wanted is Thinking.ON)


def _rendering(blend: BlendResult) -> Rendering:
    return Rendering(date=date.fromisoformat(blend.date), thinking=blend.thinking is Thinking.ON)


def _outcome(place: Workspace, stage: Stage) -> Outcome | None:
    try:
        return decode_message(place.result(stage).read_text())
    except (OSError, MessageError):
        return None


def _roles(place: Workspace) -> dict[str, Role]:
    """The role of each source, by name."""
    try:
        sources = json.loads((place.blend / _INPUTS_FILE).read_text())["blend"]["sources"]
        return {str(source["name"]): Role(source["role"]) for source in sources}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _losses(place: Workspace) -> tuple[LossPoint, ...]:
    """One point per step. A step that was repeated after a restart counts with its last loss."""
    try:
        lines = place.steps_log.read_text().splitlines()
    except OSError:
        return ()
    losses: dict[int, float] = {}
    for line in lines:
        try:
            entry: Any = json.loads(line)
            loss = float(entry["loss"])
            if isfinite(loss):
                losses[int(entry["step"])] = loss
        except (ValueError, KeyError, TypeError):
            continue
    return tuple(LossPoint(step, losses[step]) for step in sorted(losses))


def _contaminated(place: Workspace, rubric: Rubric) -> tuple[str, ...] | None:
    try:
        searched = json.loads(place.rubric.read_text())["digest"]
        met = json.loads((place.blend / _INPUTS_FILE).read_text())["promptsMet"]
        found = {str(match["question"]) for match in met}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if searched != rubric.digest:
        return None
    return tuple(question.id for question in rubric.questions if question.id in found)
