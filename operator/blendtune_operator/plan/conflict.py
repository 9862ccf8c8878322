"""Objects that have the name of a child of the run, say that they belong to it, and do not."""

from __future__ import annotations

from blendtune_api.v1alpha1 import BlendedFineTune, Reason
from blendtune_operator import names
from blendtune_operator.names import Kind, Object
from blendtune_operator.plan import StatusT
from blendtune_operator.plan.draft import Draft
from blendtune_operator.plan.lifecycle import refuse
from blendtune_operator.plan.phase import Continue, PhaseResult
from blendtune_operator.plan.recorded import child_of


def refuse_replaced_children(draft: Draft[StatusT]) -> PhaseResult:
    """Sets Accepted to False while another object has the name of a child that the status records.

    A running attempt goes on: its pods verify the configuration that they were made for.
    """
    expected = {*_recorded_names(draft)}
    for child in draft.children.foreign:
        if (child["kind"], child["metadata"]["name"]) in expected:
            draft.requeue_after(draft.settings.obstacle_interval)
            fault = "was put in place of the one that the operator has made"
            return refuse(draft, Reason.NAME_CONFLICT, name_conflict(child, fault))
    return Continue()


def name_conflict(child: Object, fault: str) -> str:
    """What is wrong with a child of this name, and what to do."""
    name = f"{child['kind']} {child['metadata']['name']}"
    return f"{name} is there already and {fault}: delete {name}, or give the run another name"


def _recorded_names(draft: Draft[StatusT]) -> list[tuple[Kind, str]]:
    """Of the pinned configuration, and of the attempts that run."""
    run, pinned = draft.run, draft.status.pinned
    name = run.metadata.name
    found = [child_of(run, draft.status, item) for item in draft.status.attempts if item.end_time is None]
    if pinned is not None:
        config = names.run_config if isinstance(run, BlendedFineTune) else names.eval_config
        found.append((Kind.CONFIG_MAP, config(name, pinned.revision)))
    return found
