"""Which pinned configuration the next attempt runs with, and the ConfigMap to create when it is a new one."""

from __future__ import annotations

from blendtune_api.contract import EvalConfig, RunConfig
from blendtune_operator import render
from blendtune_operator.names import Object
from blendtune_operator.plan.draft import EvalDraft, FineTuneDraft
from blendtune_operator.render.config import (
    Pinned,
    pin_eval,
    pin_run,
    read,
    repin_eval,
    repin_run,
    revision_of,
)


def latest_run(draft: FineTuneDraft) -> Pinned[RunConfig] | None:
    """The configuration that the last attempt ran with."""
    known = draft.children.config_maps()
    return read(max(known, key=revision_of), RunConfig) if known else None


def pin_next_run(draft: FineTuneDraft) -> tuple[Pinned[RunConfig], tuple[Object, ...]]:
    run, latest = draft.run, latest_run(draft)
    pinned = repin_run(latest, run, draft.settings) if latest else pin_run(run, draft.settings)
    return pinned, () if pinned is latest else (render.run_config(run, pinned),)


def pin_next_eval(draft: EvalDraft) -> tuple[Pinned[EvalConfig], tuple[Object, ...]]:
    run, known = draft.run, draft.children.config_maps()
    latest = read(max(known, key=revision_of), EvalConfig) if known else None
    pinned = repin_eval(latest, run, draft.settings) if latest else pin_eval(run, draft.settings)
    return pinned, () if pinned is latest else (render.eval_config(run, pinned),)
