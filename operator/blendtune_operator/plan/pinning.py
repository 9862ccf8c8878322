"""Which pinned configuration the next attempt runs with, and the ConfigMap to create when it is a new one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from blendtune_api.contract import EvalConfig, RunConfig
from blendtune_api.v1alpha1 import BlendedFineTuneStatus, Gang, RubricEvalStatus, Stage
from blendtune_operator import render
from blendtune_operator.gang import choose
from blendtune_operator.names import Object, Run
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.children import Children
from blendtune_operator.plan.draft import Draft, EvalDraft, FineTuneDraft
from blendtune_operator.plan.recorded import gang_of
from blendtune_operator.render.config import (
    ConfigT,
    Pinned,
    pin_eval,
    pin_run,
    read,
    repin_eval,
    repin_run,
)
from blendtune_operator.settings import Settings

RunT = TypeVar("RunT", bound=Run)


def latest_run(draft: FineTuneDraft) -> Pinned[RunConfig] | None:
    """The configuration that the last attempt ran with."""
    return _latest(draft, RunConfig)


def pin_next_run(draft: FineTuneDraft) -> tuple[Pinned[RunConfig], tuple[Object, ...]]:
    """The configuration of the next attempt, and its ConfigMap when that has to be created."""
    run, latest, gang = draft.run, latest_run(draft), next_gang(draft)
    pinned = (
        repin_run(latest, run, draft.settings, gang)
        if latest
        else _again(draft, pin_run(run, draft.settings, gang))
    )
    return pinned, () if pinned is latest else (render.run_config(run, pinned),)


def pin_next_eval(draft: EvalDraft) -> tuple[Pinned[EvalConfig], tuple[Object, ...]]:
    """The configuration of the next attempt, and its ConfigMap when that has to be created."""
    run, latest = draft.run, _latest(draft, EvalConfig)
    pinned = (
        repin_eval(latest, run, draft.settings) if latest else _again(draft, pin_eval(run, draft.settings))
    )
    return pinned, () if pinned is latest else (render.eval_config(run, pinned),)


def pods_of_attempt(
    stage: Stage, status: BlendedFineTuneStatus | RubricEvalStatus, children: Children
) -> int:
    """How many pods an attempt of the stage has; of a training 1 where its configuration is gone."""
    if stage is not Stage.TRAIN:
        return 1
    pinned, found = status.pinned, children.config_maps()
    return read(found[0], RunConfig, pinned.revision).config.spec.cluster.nodes if pinned and found else 1


def next_gang(draft: FineTuneDraft) -> Gang:
    """What makes the pods of the next training attempt."""
    wanted = draft.settings.gang or draft.run.spec.cluster.gang
    pinned = draft.status.pinned
    return choose(wanted, gang_of(draft.status) if pinned else None, draft.children.unserved)


def render_attempt(
    run: RunT,
    attempt: int,
    configuration: tuple[Pinned[ConfigT], tuple[Object, ...]],
    job: Callable[[RunT, Pinned[ConfigT], int, Settings], Object | tuple[Object, ...]],
    settings: Settings,
) -> tuple[Object, ...]:
    """The children of an attempt: the ConfigMap of its configuration if that is new, then those of `job`."""
    pinned: Pinned[ConfigT]
    config_maps: tuple[Object, ...]
    pinned, config_maps = configuration
    made: Object | tuple[Object, ...] = job(run, pinned, attempt, settings)
    return (*config_maps, *(made if isinstance(made, tuple) else (made,)))


def _latest(draft: Draft[StatusT], kind: type[ConfigT]) -> Pinned[ConfigT] | None:
    """The configuration that the status records, where its ConfigMap is still there."""
    pinned, found = draft.status.pinned, draft.children.config_maps()
    return read(found[0], kind, pinned.revision) if pinned and found else None


def _again(draft: Draft[StatusT], fresh: Pinned[ConfigT]) -> Pinned[ConfigT]:
    """A configuration in place of a ConfigMap that was removed: another content has another name."""
    known = draft.status.pinned
    if known is None:
        return fresh
    return replace(fresh, revision=known.revision + (fresh.digest != known.digest))
