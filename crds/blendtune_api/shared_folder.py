"""The shared folder: a cache of answers, encoded rows and downloaded models for several runs.

Each entry is named after a digest of what it was made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blendtune_api.contract import digest_of, workspace
from blendtune_api.v1alpha1 import Model, Storage

_KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class SharedFolder:
    """The folder that `spec.storage.sharedPath` names, or the run's own workspace if it is unset."""

    root: Path
    is_own: bool = False  # it is the workspace of a single run, which has one base model

    @property
    def answers(self) -> Path:
        """Answers, by the digest of the model's weights."""
        return self.root / "answers"

    @property
    def tokens(self) -> Path:
        """Encoded rows, by the digest of rows, tokenizer, chat template and sequence length."""
        return self.root / "tokens"

    @property
    def rehearsals(self) -> Path:
        """Rows that base models have written, by the digest of all that decides them."""
        return self.root / "rehearsals"

    @property
    def models(self) -> Path:
        """Models from hf:// or s3://: base models by URI and revision, evaluated ones by URI and content."""
        return self.root / "models"

    def base_model(self, model: Model) -> Path:
        """The folder of a model from hf:// or s3://. It exists once the download is complete."""
        if self.is_own:
            return self.root / "base"
        return self.models / digest_of([model.uri, model.revision])[:_KEY_LENGTH]


def shared_folder(claims: Path, storage: Storage, namespace: str, name: str) -> SharedFolder:
    if storage.shared_path is not None:
        return SharedFolder(claims / storage.persistent_volume_claim / storage.shared_path)
    return SharedFolder(workspace(claims, storage, namespace, name).root, is_own=True)
