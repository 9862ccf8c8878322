"""The run of the blend and train programs, and the result files of its stages."""

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
    """The pinned configuration of a run, and where its files are on this machine."""

    config: RunConfig
    claims: Path  # the folder under which the volume claims are mounted

    @property
    def workspace(self) -> Workspace:
        """The paths of this run's artifacts."""
        return workspace(self.claims, self.config.spec.storage, self.config.namespace, self.config.name)

    @property
    def shared(self) -> SharedFolder:
        """The paths of what runs share: base models and encoded rows."""
        return shared_folder(self.claims, self.config.spec.storage, self.config.namespace, self.config.name)


def load_run(environment: Mapping[str, str]) -> Run:
    """The run that the environment variables name. Raises BadConfiguration if it cannot be read."""
    config, claims = load_config(RunConfig, environment)
    return Run(config=config, claims=claims)


def save_result(run: Run, stage: Stage, outcome: Outcome) -> None:
    """Writes the outcome next to the stage's artifacts, because the termination message can be lost."""
    write_text(run.workspace.result(stage), encode_message(outcome))


def load_result(run: Run, stage: Stage, kind: type[T]) -> T | None:
    """The saved result of a stage; None if the stage has not finished with this configuration."""
    try:
        outcome = decode_message(run.workspace.result(stage).read_text())
    except (OSError, MessageError):
        return None
    same = getattr(outcome, "config_digest", None) == run.config.digest
    return outcome if isinstance(outcome, kind) and same else None
