"""The pinned configuration of a run, as its pods read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blendtune_api.contract.digests import digest_of
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, RubricEvalSpec, Storage


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuPreset:
    """What one GPU of a type offers. `peak_flops` is dense bf16, per second; None where nothing is known."""

    name: str
    memory_bytes: int | None = None
    peak_flops: float | None = None
    resource_name: str | None = "nvidia.com/gpu"  # None: the pods ask for no device and train on CPU
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_gpu(self) -> bool:
        return self.resource_name is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """The pinned run of a BlendedFineTune: what its blend and train pods read."""

    uid: str
    namespace: str
    name: str
    spec: BlendedFineTuneSpec
    gpu: GpuPreset
    images: Mapping[str, str] = field(default_factory=dict)  # by stage

    @property
    def digest(self) -> str:
        """Digest of all that decides the artifacts; the same digest may take over a workspace."""
        spec = self.spec
        return digest_of([spec.model, spec.blend, spec.training])


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalConfig:
    """The pinned run of a RubricEval. The rows of `training_workspace` are searched for its prompts."""

    uid: str
    namespace: str
    name: str
    spec: RubricEvalSpec
    image: str = ""
    gpu: GpuPreset = field(default_factory=lambda: GpuPreset(name="cpu", resource_name=None))
    training_workspace: Storage | None = None
