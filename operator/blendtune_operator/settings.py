"""What an administrator sets for all runs. Read from the environment when the operator starts."""

from __future__ import annotations

import json
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from blendtune_api import codec
from blendtune_api.contract import GpuPreset
from blendtune_api.v1alpha1 import Gang, Stage

MIB = 2**20
_ANY = "*"
_NVIDIA_TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


class SettingsError(ValueError):
    """An environment variable that cannot be read, and what it must look like."""


def _nvidia(name: str, product: str, memory_mib: int, peak_flops: float) -> GpuPreset:
    return GpuPreset(
        name=name,
        memory_bytes=memory_mib * MIB,
        peak_flops=peak_flops,
        node_selector={"nvidia.com/gpu.product": product},
        tolerations=(_NVIDIA_TOLERATION,),
    )


# Products are named as NVIDIA's GPU feature discovery labels them; memory is what the driver reports; peak
# FLOP/s are dense bf16 from NVIDIA's data sheets of the SXM boards.
GPU_PRESETS: Mapping[str, GpuPreset] = {
    preset.name: preset
    for preset in (
        _nvidia("a100-80gb", "NVIDIA-A100-SXM4-80GB", 81_920, 312e12),
        _nvidia("a100-40gb", "NVIDIA-A100-SXM4-40GB", 40_960, 312e12),
        _nvidia("h100-80gb", "NVIDIA-H100-80GB-HBM3", 81_559, 989e12),
        _nvidia("h200-141gb", "NVIDIA-H200", 143_771, 989e12),
        GpuPreset(name="cpu", resource_name=None),
    )
}

TRAINER_IMAGE = "blendtune/trainer:latest"
EVAL_IMAGE = "blendtune/eval:latest"


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The defaults are those of a real cluster; local mode allows file:// URIs and waits less."""

    trainer_image: str = TRAINER_IMAGE
    eval_image: str = EVAL_IMAGE
    gpu_presets: Mapping[str, GpuPreset] = field(default_factory=lambda: dict(GPU_PRESETS))
    allow_file_uris: bool = False
    platform_user: bool = False  # user, group and fsGroup of the pods are the platform's to choose
    gang: Gang | None = None  # instead of what a run names: local mode has one of its own
    allowed_service_accounts: frozenset[str] | None = None  # None: any that a run names
    backoff_base: timedelta = timedelta(
        seconds=10
    )  # before the second attempt; doubled for each failure after it
    backoff_cap: timedelta = timedelta(minutes=6)
    grace_period: timedelta = timedelta(minutes=5)  # from SIGTERM to SIGKILL: time for a checkpoint
    progress_interval: timedelta = timedelta(seconds=15)  # between two updates of status.trainerStatus
    obstacle_interval: timedelta = timedelta(
        minutes=1
    )  # until a missing kind or a taken name is looked at again
    patience: timedelta = timedelta(minutes=1)  # for a start; what takes longer is looked into and told

    def image(self, stage: Stage) -> str:
        return self.eval_image if stage is Stage.EVAL else self.trainer_image

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from BLENDTUNE_* variables; what is unset keeps its default. Raises SettingsError.

        BLENDTUNE_TRAINER_IMAGE, BLENDTUNE_EVAL_IMAGE: default images.
        BLENDTUNE_GPU_PRESETS: JSON list of presets, added to the built-in ones by name.
        BLENDTUNE_ALLOWED_SERVICE_ACCOUNTS: what runs may name, by comma; *: any.
        BLENDTUNE_PLATFORM_USER: true leaves user, group and fsGroup of the pods to the platform.
        BLENDTUNE_BACKOFF_BASE_SECONDS, BLENDTUNE_BACKOFF_CAP_SECONDS, BLENDTUNE_GRACE_PERIOD_SECONDS,
        BLENDTUNE_PROGRESS_INTERVAL_SECONDS, BLENDTUNE_OBSTACLE_INTERVAL_SECONDS, BLENDTUNE_PATIENCE_SECONDS:
        durations, in seconds.
        """
        defaults = cls()
        return cls(
            trainer_image=environ.get("BLENDTUNE_TRAINER_IMAGE", defaults.trainer_image),
            eval_image=environ.get("BLENDTUNE_EVAL_IMAGE", defaults.eval_image),
            gpu_presets={**defaults.gpu_presets, **_presets(environ.get("BLENDTUNE_GPU_PRESETS", ""))},
            allowed_service_accounts=_allowed(environ.get("BLENDTUNE_ALLOWED_SERVICE_ACCOUNTS", _ANY)),
            platform_user=_truth(environ, "BLENDTUNE_PLATFORM_USER", defaults.platform_user),
            backoff_base=_seconds(environ, "BLENDTUNE_BACKOFF_BASE_SECONDS", defaults.backoff_base),
            backoff_cap=_seconds(environ, "BLENDTUNE_BACKOFF_CAP_SECONDS", defaults.backoff_cap),
            grace_period=_seconds(environ, "BLENDTUNE_GRACE_PERIOD_SECONDS", defaults.grace_period),
            progress_interval=_seconds(
                environ, "BLENDTUNE_PROGRESS_INTERVAL_SECONDS", defaults.progress_interval
            ),
            obstacle_interval=_seconds(
                environ, "BLENDTUNE_OBSTACLE_INTERVAL_SECONDS", defaults.obstacle_interval
            ),
            patience=_seconds(environ, "BLENDTUNE_PATIENCE_SECONDS", defaults.patience),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcessSettings:
    """How the operator itself runs; no run depends on it."""

    namespaces: tuple[str, ...] = ()  # empty: the whole cluster
    workers: int = 16  # reconciles under way at once
    port: int = 8080  # of /metrics, /healthz and /readyz
    resync_interval: timedelta = timedelta(minutes=5)
    # After which a watch without an event is opened anew: bookmarks come about once a minute.
    watch_silence: timedelta = timedelta(seconds=70)
    lease_namespace: str = "default"
    lease_duration: timedelta = timedelta(seconds=15)
    identity: str = field(default_factory=lambda: f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> ProcessSettings:
        """Settings from BLENDTUNE_* variables; what is unset keeps its default. Raises SettingsError.

        BLENDTUNE_NAMESPACES: the namespaces to serve, by comma; empty for all.
        BLENDTUNE_WORKERS, BLENDTUNE_HTTP_PORT: whole numbers; port 0 takes a free one.
        BLENDTUNE_RESYNC_SECONDS, BLENDTUNE_WATCH_SILENCE_SECONDS, BLENDTUNE_LEASE_DURATION_SECONDS:
        durations, in seconds.
        BLENDTUNE_LEASE_NAMESPACE: where the Lease lies, in general the operator's own namespace.
        """
        defaults = cls()
        return cls(
            namespaces=_names(environ.get("BLENDTUNE_NAMESPACES", "")),
            workers=_whole(environ, "BLENDTUNE_WORKERS", defaults.workers, 1, 1024),
            port=_whole(environ, "BLENDTUNE_HTTP_PORT", defaults.port, 0, 65_535),
            resync_interval=_seconds(environ, "BLENDTUNE_RESYNC_SECONDS", defaults.resync_interval),
            watch_silence=_seconds(environ, "BLENDTUNE_WATCH_SILENCE_SECONDS", defaults.watch_silence),
            lease_namespace=environ.get("BLENDTUNE_LEASE_NAMESPACE", defaults.lease_namespace),
            lease_duration=_seconds(environ, "BLENDTUNE_LEASE_DURATION_SECONDS", defaults.lease_duration),
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _allowed(text: str) -> frozenset[str] | None:
    names = frozenset(_names(text))
    return None if _ANY in names else names


def _presets(text: str) -> dict[str, GpuPreset]:
    if not text.strip():
        return {}
    try:
        presets = [codec.decode(GpuPreset, item, f"[{index}]") for index, item in enumerate(json.loads(text))]
    except (ValueError, TypeError) as error:
        raise SettingsError(
            f"BLENDTUNE_GPU_PRESETS must be a JSON list of presets, each with at least a name: {error}"
        ) from error
    return {preset.name: preset for preset in presets}


def _truth(environ: Mapping[str, str], name: str, default: bool) -> bool:
    text = environ.get(name, str(default)).lower()
    if text not in ("true", "false"):
        raise SettingsError(f"{name} must be true or false, not {text!r}")
    return text == "true"


def _seconds(environ: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    text = environ.get(name)
    if text is None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 10**9:
        raise SettingsError(f"{name} must be a number of seconds greater than 0, not {text!r}")
    return timedelta(seconds=seconds)


def _whole(environ: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environ.get(name)
    if text is None:
        return default
    if not text.isdigit() or not least <= int(text) <= most:
        raise SettingsError(f"{name} must be a whole number from {least} to {most}, not {text!r}")
    return int(text)
