"""Repositories of the Hugging Face hub, at one commit: their files, and ranges of these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from blendtune_runtime.errors import StageError
from blendtune_runtime.store_errors import store_errors
from blendtune_runtime.store_retries import with_retries
from blendtune_runtime.uris import HubRepository

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class HubFile:
    """A file of a repository."""

    path: str  # within the repository
    size: int  # bytes
    blob: str  # git's digest of it; of the pointer if the file is in large-file storage
    sha256: str | None  # of a file in large-file storage


@dataclass(frozen=True, kw_only=True, slots=True)
class HubSnapshot:
    """A repository as it is at one commit."""

    repository: HubRepository
    commit: str

    def files(self, field: str, absent: type[StageError]) -> Mapping[str, HubFile]:
        """All files by path, sorted. `field` is the path of the URI in the spec.

        Raises as `store_errors` does.
        """
        from huggingface_hub import HfApi
        from huggingface_hub.hf_api import RepoFile

        repository = self.repository

        def list_files() -> list[HubFile]:
            tree = HfApi().list_repo_tree(
                repository.name, recursive=True, revision=self.commit, repo_type=repository.type.value
            )
            return [
                HubFile(
                    path=each.path,
                    size=each.size,
                    blob=each.blob_id,
                    sha256=each.lfs.sha256 if each.lfs else None,
                )
                for each in tree
                if isinstance(each, RepoFile)
            ]

        place = f"{field}: {repository.place}"
        with store_errors(place, absent):
            found = with_retries(list_files, place)
        return {file.path: file for file in sorted(found, key=lambda file: file.path)}

    def read(self, path: str, start: int, end: int) -> bytes:
        """The bytes of a file from `start` to before `end`. Raises the errors of huggingface_hub."""
        from huggingface_hub import constants, get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

        url = hf_hub_url(
            self.repository.name, path, repo_type=self.repository.type.value, revision=self.commit
        )
        headers = {
            **build_hf_headers(),
            "Range": f"bytes={start}-{end - 1}",
            "Accept-Encoding": "identity",  # a range of the file, not of what a server makes of it
        }
        response = get_session().get(url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT)
        hf_raise_for_status(response)
        # A server that knows no ranges sends the whole file.
        return response.content[start:end] if response.status_code == 200 else response.content


def snapshot(repository: HubRepository, field: str, absent: type[StageError]) -> HubSnapshot:
    """The repository at the commit that its revision names now. A commit is not looked up.

    `field` is the path of the URI in the spec. Raises as `store_errors` does.
    """
    revision = repository.revision
    if revision is None or not _COMMIT.fullmatch(revision):
        revision = _commit(repository, f"{field}: {repository.place}", absent)
    return HubSnapshot(repository=repository, commit=revision)


def _commit(repository: HubRepository, place: str, absent: type[StageError]) -> str:
    from huggingface_hub import HfApi

    def look_up() -> str:
        info = HfApi().repo_info(
            repository.name, revision=repository.revision, repo_type=repository.type.value
        )
        return str(info.sha)

    with store_errors(place, absent):
        return with_retries(look_up, place)
