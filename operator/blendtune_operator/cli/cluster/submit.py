"""`blendtune submit`: checks manifests, applies them by server-side apply, and follows them to their end."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console

from blendtune_api.v1alpha1 import BlendedFineTune, RubricEval
from blendtune_operator.api import APPLY, ApiError
from blendtune_operator.cli.check import Checked, check, check_study, print_warnings
from blendtune_operator.cli.cluster.following import follow_until, print_end
from blendtune_operator.cli.cluster.session import at_cluster
from blendtune_operator.cli.cluster.steering import FIELD_MANAGER
from blendtune_operator.cli.estimate import Known, estimates
from blendtune_operator.cli.exit_status import ExitStatus
from blendtune_operator.cli.manifest import (
    Document,
    ManifestError,
    Manifests,
    config_map_reference,
    holds_study,
    load,
    load_study,
)
from blendtune_operator.client.access import Access
from blendtune_operator.client.faults import ClientError
from blendtune_operator.client.objects import find, get
from blendtune_operator.names import Kind, Object
from blendtune_operator.settings import Settings, SettingsError

_WORST_FIRST = (ExitStatus.BAD_INPUT, ExitStatus.FAILED, ExitStatus.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Given:
    """The documents to apply, ConfigMaps first, and among them those to follow."""

    documents: tuple[Document, ...]
    followed: tuple[Document, ...]


def submit(parsed: argparse.Namespace, console: Console) -> ExitStatus:
    return at_cluster(parsed, lambda access: _submit(access, parsed, console))


async def _submit(access: Access, parsed: argparse.Namespace, console: Console) -> ExitStatus:
    given = await _checked(access, parsed, console)
    objects = [_placed(document, access.namespace, parsed.namespace) for document in given.documents]
    for dry_run in (True, False):  # so that nothing is applied where a part would be refused
        for document, obj in zip(given.documents, objects, strict=True):
            await _apply(access, document, obj, dry_run=dry_run)
    for obj in objects:
        console.print(f"{obj['kind']} {obj['metadata']['name']} applied", highlight=False)
    if parsed.no_follow:
        return ExitStatus.SUCCESS
    ends = set()
    for document in given.followed:
        place = replace(access, namespace=_namespace(document, access.namespace))
        obj = await find(place, f"{document.kind}/{document.name}")
        ends.add(print_end(Console(), *await follow_until(place, obj, console, lambda _: False)))
    return next((status for status in _WORST_FIRST if status in ends), ExitStatus.SUCCESS)


async def _checked(access: Access, parsed: argparse.Namespace, console: Console) -> Given:
    """Raises ManifestError with every fault that the operator or the rubric's check would find."""
    if holds_study(parsed.files):
        study = load_study(parsed.files, complete=False)
        held = await _config_maps(access, [study.document], study.config_maps)
        whole = replace(study, config_maps=held)
        settings = _settings([study.study.spec.template.spec.cluster.gpu_type])
        _tell(check_study(whole, to_run_here=False, settings=settings), console)
        return Given((*study.config_maps, study.document), (study.document,))
    manifests = load(parsed.files, complete=False)
    held = await _config_maps(access, manifests.documents, manifests.config_maps)
    settings = _settings(_gpu_types(manifests))
    _tell(check(replace(manifests, config_maps=held), to_run_here=False, settings=settings), console)
    _print_estimates(manifests, settings, console)
    return Given((*manifests.config_maps, *manifests.documents), manifests.documents)


def _tell(checked: Checked, console: Console) -> None:
    print_warnings(checked.warnings, console)


def _settings(gpu_types: Iterable[str]) -> Settings:
    """What any cluster allows: which presets an administrator has added, its operator alone knows."""
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        raise ManifestError([str(error)]) from error
    unknown = replace(settings.gpu_presets["a100-80gb"], peak_flops=None)
    presets = {name: replace(unknown, name=name) for name in gpu_types}
    return replace(settings, gpu_presets={**presets, **settings.gpu_presets})


def _gpu_types(manifests: Manifests) -> list[str]:
    runs = [run for run in manifests.objects if isinstance(run, BlendedFineTune)]
    return [run.spec.cluster.gpu_type for run in manifests.objects] + [
        run.spec.evaluation.cluster.gpu_type for run in runs
    ]


def _print_estimates(manifests: Manifests, settings: Settings, console: Console) -> None:
    """A line on each run whose model's shape is known by its name; what is not known is no fault."""
    for run, document in zip(manifests.objects, manifests.documents, strict=True):
        if isinstance(run, RubricEval):
            continue
        one = replace(manifests, objects=(run,), documents=(document,))
        try:
            found = estimates(one, Known(), settings)[run.metadata.name]
        except ManifestError:
            continue
        style, verdict = ("green", "fits") if found.fits else ("yellow", "does not fit")
        console.print(
            f"{run.metadata.name}: by the estimate it {verdict} (`blendtune estimate` tells more)",
            style=style,
            highlight=False,
        )


async def _config_maps(
    access: Access, documents: Sequence[Document], given: Sequence[Document]
) -> tuple[Document, ...]:
    """The given ConfigMaps, and those of the cluster that the documents refer to beside them."""
    held = list(given)
    faults: list[str] = []
    for document in documents:
        reference = config_map_reference(document)
        if reference is None or any(each.name == reference.name for each in given):
            continue
        place = replace(access, namespace=_namespace(document, access.namespace))
        found = await get(place, Kind.CONFIG_MAP, reference.name)
        if found is None:
            faults.append(document.fault(reference.path, (
                f"there is no ConfigMap {reference.name} in namespace {place.namespace}, and none in what "
                "was given: add the rubric's file with another -f"
            )))  # fmt: skip
        elif reference.key not in (found.get("data") or {}):
            faults.append(
                document.fault(reference.path, f"ConfigMap {reference.name} has no key {reference.key}")
            )
        else:
            held.append(Document(value=found, file=document.file, lines=document.lines))
    if faults:
        raise ManifestError(faults)
    return tuple(held)


def _placed(document: Document, namespace: str, named: str | None) -> Object:
    """The document as it is applied. Raises ManifestError where it says another namespace than -n."""
    own = _namespace(document, namespace)
    if named is not None and own != named:
        raise ManifestError([document.fault("metadata.namespace", f"it is {own}, and -n says {named}")])
    value: Mapping[str, Any] = document.value
    return {**value, "metadata": {**value.get("metadata", {}), "namespace": own}}


def _namespace(document: Document, default: str) -> str:
    metadata = document.value.get("metadata")
    return str((metadata or {}).get("namespace") or default)


async def _apply(access: Access, document: Document, obj: Object, *, dry_run: bool) -> None:
    path = Kind(obj["kind"]).path(obj["metadata"]["namespace"], obj["metadata"]["name"])
    query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    try:
        await access.api.request("PATCH", path, {**query, "dryRun": "All"} if dry_run else query, obj, APPLY)
    except ApiError as error:
        text = str(error).partition(": ")[2]
        if error.status in (400, 422):
            raise ManifestError([document.fault("", text)]) from error
        if error.status == 409:
            name = f"{obj['kind']} {obj['metadata']['name']}"
            raise ClientError(f"{name} is kept by another tool, which must change it: {text}") from error
        raise
