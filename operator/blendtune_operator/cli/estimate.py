"""The estimates of `blendtune estimate`: what each run needs, from the shape of its model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from blendtune_api.v1alpha1 import BlendedFineTune, Kernels
from blendtune_core.sizing.cost import ASSUMED_MFU
from blendtune_core.sizing.estimate import Estimate, estimate
from blendtune_core.sizing.known import nearest_llama, shape_on_the_hub
from blendtune_core.sizing.layout import attention_in_use, fuses_layers
from blendtune_core.sizing.shape import FUSABLE, ModelShape, ShapeError, read_shape, varlen_serves
from blendtune_operator.cli.check import refused
from blendtune_operator.cli.manifest import Document, ManifestError, Manifests
from blendtune_operator.settings import Settings

_CONFIG = "config.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the command line says of the runs beside their manifests."""

    model_config: Path | None = None  # a config.json
    parameters: int | None = None
    tokens: int | None = None  # of the whole blend
    mfu: float = ASSUMED_MFU


def estimates(manifests: Manifests, known: Known, settings: Settings) -> Mapping[str, Estimate]:
    """The estimate of each BlendedFineTune, by name.

    Attention is that of the trainer image: flash-attn only where the spec asks for it. Raises ManifestError
    with what the operator would refuse, for a model that Liger's kernels do not compute though they are asked
    for, and where a model's shape is not known.
    """
    runs = [
        (run, document)
        for run, document in zip(manifests.objects, manifests.documents, strict=True)
        if isinstance(run, BlendedFineTune)
    ]
    if not runs:
        raise ManifestError(["no BlendedFineTune in what was given: there is nothing to train"])
    faults = [fault for run, document in runs for fault in refused(run, document, settings)]
    if faults:
        raise ManifestError(faults)
    return {run.metadata.name: _estimate(run, document, known, settings) for run, document in runs}


def _estimate(run: BlendedFineTune, document: Document, known: Known, settings: Settings) -> Estimate:
    preset = settings.gpu_presets[run.spec.cluster.gpu_type]
    shape = _shape(run.spec.model.uri, document, known)
    if run.spec.training.kernels is Kernels.LIGER and not shape.fusable:
        message = f"liger computes {', '.join(sorted(FUSABLE))}, and this model is another: set auto or none"
        raise ManifestError([document.fault("spec.training.kernels", message)])
    return estimate(
        run.spec,
        shape,
        preset,
        attention_in_use(run.spec.training, on_gpu=preset.is_gpu, varlen=varlen_serves(shape)),
        fused=fuses_layers(run.spec.training, on_gpu=preset.is_gpu, fusable=shape.fusable),
        tokens=known.tokens,
        mfu=known.mfu,
    )


def _shape(uri: str, document: Document, known: Known) -> ModelShape:
    """The shape in the given config.json, in the model's folder, or known by the model's name."""
    scheme, _, place = uri.partition("://")
    if known.model_config is not None:
        return _read(known.model_config, str(known.model_config), known)
    if scheme == "file":
        return _read(Path(place) / _CONFIG, document.where("spec.model.uri"), known)
    shape = shape_on_the_hub(place) if scheme == "hf" else None
    if shape is None and known.parameters is not None:
        shape = nearest_llama(known.parameters)
    if shape is None:
        raise ManifestError([document.fault("spec.model.uri", _advice(scheme, uri, place))])
    return shape


def _read(config: Path, where: str, known: Known) -> ModelShape:
    try:
        content = json.loads(config.read_text())
        if not isinstance(content, dict):
            raise ShapeError("it must be a JSON object")
        return read_shape(content, known.parameters)
    except OSError as error:
        raise ManifestError([f"{where}: {config} cannot be read: {error.strerror}"]) from error
    except ShapeError as error:
        raise ManifestError([f"{where}: {config}: {error} (--parameters)"]) from error
    except ValueError as error:
        raise ManifestError([f"{where}: {config}: not valid JSON: {error}"]) from error


def _advice(scheme: str, uri: str, place: str) -> str:
    fetch = f", from https://huggingface.co/{place}/blob/main/{_CONFIG}" if scheme == "hf" else ""
    return (
        f"the shape of {uri} is not known here: give its {_CONFIG} with --model-config{fetch}, or a number "
        "with --parameters"
    )
