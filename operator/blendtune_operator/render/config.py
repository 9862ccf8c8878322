"""The pinned configuration of a run, an immutable ConfigMap: its pods read it, and no upgrade changes it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from blendtune_api import codec
from blendtune_api.contract import (
    CONFIG_FILE,
    UNKNOWN_DATE,
    EvalConfig,
    GpuPreset,
    RunConfig,
    text_digest,
)
from blendtune_api.v1alpha1 import BlendedFineTune, Gang, RubricEval, Stage
from blendtune_operator import names
from blendtune_operator.names import Kind, Object, Run
from blendtune_operator.render.uris import training_workspace
from blendtune_operator.settings import Settings

ConfigT = TypeVar("ConfigT", RunConfig, EvalConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinned(Generic[ConfigT]):
    """A configuration and its revision. A change of `cluster` or `credentials` makes the next revision.

    `text` is what the ConfigMap holds; empty: what this version writes.
    """

    config: ConfigT
    revision: int = 1
    text: str = ""

    @property
    def document(self) -> str:
        """The configuration as its pods read it."""
        return self.text or json.dumps(codec.encode(self.config), sort_keys=True, indent=1)

    @property
    def digest(self) -> str:
        """Digest of the document, which its pods verify."""
        return text_digest(self.document)


def pin_run(run: BlendedFineTune, settings: Settings, gang: Gang) -> Pinned[RunConfig]:
    """The first revision: the spec with the images and the GPU preset of this operator, and the gang."""
    return Pinned(
        config=RunConfig(
            uid=run.metadata.uid,
            namespace=run.metadata.namespace,
            name=run.metadata.name,
            spec=run.spec,
            gpu=settings.gpu_presets[run.spec.cluster.gpu_type],
            images={stage.value: settings.image(stage) for stage in Stage},
            date=_date(run),
            gang=gang,
        )
    )


def repin_run(
    pinned: Pinned[RunConfig], run: BlendedFineTune, settings: Settings, gang: Gang
) -> Pinned[RunConfig]:
    """The revision for the next attempt: only `cluster` and `credentials` may have changed."""
    config = pinned.config
    spec = replace(config.spec, cluster=run.spec.cluster, credentials=run.spec.credentials)
    gpu = _preset(config.gpu, spec.cluster.gpu_type, settings)
    changed = replace(config, spec=spec, gpu=gpu, gang=gang)
    return pinned if changed == config else Pinned(config=changed, revision=pinned.revision + 1)


def pin_eval(run: RubricEval, settings: Settings) -> Pinned[EvalConfig]:
    """The first revision: the spec with the image and the GPU preset of this operator."""
    return Pinned(
        config=EvalConfig(
            uid=run.metadata.uid,
            namespace=run.metadata.namespace,
            name=run.metadata.name,
            spec=run.spec,
            image=settings.image(Stage.EVAL),
            gpu=settings.gpu_presets[run.spec.cluster.gpu_type],
            training_workspace=training_workspace(run.spec.model.uri),
            date=_date(run),
        )
    )


def repin_eval(pinned: Pinned[EvalConfig], run: RubricEval, settings: Settings) -> Pinned[EvalConfig]:
    """The revision for the next attempt: only `cluster` and `credentials` may have changed."""
    config = pinned.config
    spec = replace(config.spec, cluster=run.spec.cluster, credentials=run.spec.credentials)
    changed = replace(config, spec=spec, gpu=_preset(config.gpu, spec.cluster.gpu_type, settings))
    return pinned if changed == config else Pinned(config=changed, revision=pinned.revision + 1)


def run_config(run: BlendedFineTune, pinned: Pinned[RunConfig]) -> Object:
    """The ConfigMap of a BlendedFineTune."""
    return _config_map(run, names.run_config(run.metadata.name, pinned.revision), pinned)


def eval_config(run: RubricEval, pinned: Pinned[EvalConfig]) -> Object:
    """The ConfigMap of a RubricEval."""
    return _config_map(run, names.eval_config(run.metadata.name, pinned.revision), pinned)


def read(config_map: Object, kind: type[ConfigT], revision: int) -> Pinned[ConfigT]:
    """The configuration that a ConfigMap pins. Raises ValueError when it holds anything else."""
    text = _text_in(config_map)
    config: ConfigT = _decode(cast(Any, kind), text)
    return Pinned(config=config, revision=revision, text=text)


def digest_in(config_map: Object) -> str:
    """Digest of the document that a ConfigMap holds."""
    return text_digest(_text_in(config_map))


@lru_cache(maxsize=256)  # each plan of a run reads its ConfigMap, which never changes
def _decode(kind: Any, text: str) -> Any:
    return codec.decode(kind, json.loads(text), lenient=True)


def revision_of(config_map: Object) -> int:
    """The revision by the label; 0 where that is no number."""
    return names.number(config_map, names.REVISION) or 0


def _text_in(config_map: Object) -> str:
    return str((config_map.get("data") or {}).get(CONFIG_FILE, ""))


def _config_map(run: Run, name: str, pinned: Pinned[ConfigT]) -> Object:
    return {
        "apiVersion": Kind.CONFIG_MAP.api_version,
        "kind": Kind.CONFIG_MAP.value,
        "metadata": names.metadata(run, name, extra={names.REVISION: str(pinned.revision)}),
        "immutable": True,
        "data": {CONFIG_FILE: pinned.document},
    }


def _date(run: Run) -> str:
    """The day on which a run was created: what chat templates take for today."""
    return (run.metadata.creation_timestamp or UNKNOWN_DATE)[:10]


def _preset(pinned: GpuPreset, gpu_type: str, settings: Settings) -> GpuPreset:
    return pinned if pinned.name == gpu_type else settings.gpu_presets[gpu_type]
