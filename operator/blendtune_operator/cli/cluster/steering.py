"""`blendtune suspend`, `resume` and `retry`: one field of a spec, as kubectl patch would change it."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from rich.console import Console

from blendtune_api.blend_study import BlendStudy
from blendtune_api.codec import Resource
from blendtune_api.v1alpha1 import ConditionType
from blendtune_operator.api import MERGE
from blendtune_operator.cli.cluster.session import at_cluster
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.client.access import Access
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.objects import decoded, find
from blendtune_operator.conditions import is_finished, is_true
from blendtune_operator.names import Kind, Object

FIELD_MANAGER = "blendtune-cli"
Change = tuple[dict[str, Any], str]  # of the spec; empty if nothing is to be changed; and what to say


def suspend(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    return _steer(parsed, console, suspension)


def resume(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    return _steer(parsed, console, resumption)


def retry(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    return _steer(parsed, console, another_try)


def suspension(object: Resource) -> Change:
    name = object.metadata.name
    if is_finished(object.status.conditions):
        raise ClientError(f"{name} has ended ({object.status.state}): there is nothing to suspend")
    if object.spec.suspend:
        return {}, f"{name} is suspended already"
    return {"suspend": True}, f"{name} stops after a checkpoint and frees its GPUs: blendtune resume {name}"


def resumption(object: Resource) -> Change:
    name = object.metadata.name
    if not object.spec.suspend:
        return {}, f"{name} is not suspended"
    return {"suspend": False}, f"{name} goes on"


def another_try(object: Resource) -> Change:
    name = object.metadata.name
    if isinstance(object, BlendStudy):
        raise ClientError(f"{name} is a study: retry the runs of it that have failed, by their names")
    if not is_true(object.status.conditions, ConditionType.FAILED):
        raise ClientError(
            f"{name} has not failed ({object.status.state or 'Pending'}): only a failed run is tried again"
        )
    return {"retry": object.spec.retry + 1}, f"{name} runs its failed stage again"


def _steer(parsed: argparse.Namespace, console: Console, decide: Callable[[Resource], Change]) -> ExitStatus:
    async def steer(access: Access) -> ExitStatus:
        obj = await find(access, parsed.name)
        change, told = decide(decoded(obj))
        if change:
            await _patch(access, obj, change)
        console.print(told, highlight=False, soft_wrap=True)
        return ExitStatus.SUCCESS

    return at_cluster(parsed, steer)


async def _patch(access: Access, obj: Object, change: dict[str, Any]) -> None:
    """Changes the spec of this very version of the object's spec."""
    path = Kind(obj["kind"]).path(access.namespace, obj["metadata"]["name"])
    body = {"metadata": {"uid": obj["metadata"]["uid"]}, "spec": change}
    await access.api.request("PATCH", path, {"fieldManager": FIELD_MANAGER}, body, MERGE)
