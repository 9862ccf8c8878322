"""The pinned configuration of a run, as its pods read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from blendtune_api.contract.digests import digest_of
from blendtune_api.v1alpha1 import BlendedFineTuneSpec, Gang, RubricEvalSpec, Storage

UNKNOWN_DATE = "2024-07-26"  # what Llama-3.1's template prints if it knows no date


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuPreset:
    """A type of GPU. `peak_flops` is the peak of dense bf16 in FLOP/s; None means unknown."""

    name: str
    memory_bytes: int | None = None
    peak_flops: float | None = None
    resource_name: str | None = "nvidia.com/gpu"  # None: the pods request no device and train on CPU
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_gpu(self) -> bool:
        return self.resource_name is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """The pinned configuration of a BlendedFineTune, read by its blend and train pods."""

    uid: str
    namespace: str
    name: str
    spec: BlendedFineTuneSpec
    gpu: GpuPreset
    images: Mapping[str, str] = field(default_factory=dict)  # by stage
    date: str = UNKNOWN_DATE  # of the run's start, in ISO 8601: what chat templates take for today
    gang: Gang = Gang.PYTORCH_JOB  # never Auto; an earlier version knew no other

    @property
    def digest(self) -> str:
        """Digest of everything that decides the artifacts. It must be the same to take over a workspace."""
        spec = self.spec
        return digest_of([spec.model, spec.blend, spec.training])


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalConfig:
    """The pinned configuration of a RubricEval, read by its eval pod.

    The training rows in `training_workspace` are searched for the rubric's wordings.
    """

    uid: str
    namespace: str
    name: str
    spec: RubricEvalSpec
    image: str = ""
    gpu: GpuPreset = field(default_factory=lambda: GpuPreset(name="cpu", resource_name=None))
    training_workspace: Storage | None = None
    date: str = UNKNOWN_DATE  # as of RunConfig; a model that a run has trained is asked with the run's date
