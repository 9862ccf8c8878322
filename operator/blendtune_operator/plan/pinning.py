"""Which pinned configuration the next attempt runs with, and the ConfigMap to create when it is a new one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from blendtune_api.contract import EvalConfig, RunConfig
from blendtune_operator import render
from blendtune_operator.names import Object, Run
from blendtune_operator.plan.draft import EvalDraft, FineTuneDraft
from blendtune_operator.render.config import (
    ConfigT,
    Pinned,
    pin_eval,
    pin_run,
    read,
    repin_eval,
    repin_run,
    revision_of,
)
from blendtune_operator.settings import Settings

RunT = TypeVar("RunT", bound=Run)


def latest_run(draft: FineTuneDraft) -> Pinned[RunConfig] | None:
    """The configuration that the last attempt ran with."""
    return _latest(draft.children.config_maps(), RunConfig)


def pin_next_run(draft: FineTuneDraft) -> tuple[Pinned[RunConfig], tuple[Object, ...]]:
    """The configuration of the next attempt, and its ConfigMap when that has to be created."""
    run, latest = draft.run, latest_run(draft)
    pinned = repin_run(latest, run, draft.settings) if latest else pin_run(run, draft.settings)
    return pinned, () if pinned is latest else (render.run_config(run, pinned),)


def pin_next_eval(draft: EvalDraft) -> tuple[Pinned[EvalConfig], tuple[Object, ...]]:
    """The configuration of the next attempt, and its ConfigMap when that has to be created."""
    run, latest = draft.run, _latest(draft.children.config_maps(), EvalConfig)
    pinned = repin_eval(latest, run, draft.settings) if latest else pin_eval(run, draft.settings)
    return pinned, () if pinned is latest else (render.eval_config(run, pinned),)


def render_attempt(
    run: RunT,
    attempt: int,
    configuration: tuple[Pinned[ConfigT], tuple[Object, ...]],
    job: Callable[[RunT, Pinned[ConfigT], int, Settings], Object],
    settings: Settings,
) -> tuple[Object, ...]:
    """The children of an attempt: the ConfigMap of its configuration if that is new, then its job."""
    pinned: Pinned[ConfigT]
    config_maps: tuple[Object, ...]
    pinned, config_maps = configuration
    return (*config_maps, job(run, pinned, attempt, settings))


def _latest(config_maps: tuple[Object, ...], kind: type[ConfigT]) -> Pinned[ConfigT] | None:
    return read(max(config_maps, key=revision_of), kind) if config_maps else None
