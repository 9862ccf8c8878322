"""The run that the blend and train programs work for, and the results that they keep beside its artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from blendtune_api.contract import (
    MessageError,
    Outcome,
    RunConfig,
    Workspace,
    decode_message,
    encode_message,
    workspace,
)
from blendtune_api.shared_folder import SharedFolder, shared_folder
from blendtune_api.v1alpha1 import Stage
from blendtune_runtime.files import write_text
from blendtune_runtime.program import load_config

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The pinned configuration of a run and where its files lie on this machine."""

    config: RunConfig
    claims: Path

    @property
    def workspace(self) -> Workspace:
        return workspace(self.claims, self.config.spec.storage, self.config.namespace, self.config.name)

    @property
    def shared(self) -> SharedFolder:
        return shared_folder(self.claims, self.config.spec.storage, self.config.namespace, self.config.name)


def load_run(environment: Mapping[str, str]) -> Run:
    """The run that the environment names. Raises BadConfiguration where it cannot be read."""
    config, claims = load_config(RunConfig, environment)
    return Run(config=config, claims=claims)


def keep_result(run: Run, stage: Stage, outcome: Outcome) -> None:
    """Writes the outcome beside the stage's artifacts, for the day its message is lost."""
    write_text(run.workspace.result(stage), encode_message(outcome))


def kept_result(run: Run, stage: Stage, kind: type[T]) -> T | None:
    """What the stage left when it finished under this very configuration; None when it has yet to."""
    try:
        outcome = decode_message(run.workspace.result(stage).read_text())
    except (OSError, MessageError):
        return None
    same = getattr(outcome, "config_digest", None) == run.config.digest
    return outcome if isinstance(outcome, kind) and same else None
