"""Whether the place that `spec.export` names can be written to."""

from __future__ import annotations

import errno
from pathlib import Path
from uuid import uuid4

import fsspec

from blendtune_api.v1alpha1 import Export
from blendtune_runtime.errors import BadConfiguration, StorageFull, Transient, is_storage_full
from blendtune_runtime.uris import store_path

_FIELD = "spec.export.uri"
_REFUSED = frozenset(
    {errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL}
)


def try_export_target(export: Export | None, claims: Path) -> None:
    """Writes a small object to the place of the export, and removes it.

    Raises BadConfiguration if that is refused, StorageFull, or Transient if the store does not answer.
    """
    if export is None:
        return
    target = store_path(export.uri, claims, _FIELD)
    try:
        filesystem, root = fsspec.core.url_to_fs(target.url)
        filesystem.makedirs(root, exist_ok=True)
        probe = f"{root}/.blendtune-{uuid4().hex}"
        filesystem.pipe_file(probe, b"written by Blendtune before the training, and removed again\n")
        filesystem.rm_file(probe)
    except Exception as error:  # each store has errors of its own
        if is_storage_full(error):
            raise StorageFull(
                f"{_FIELD}: {export.uri} has no room left: {error}; free space there"
            ) from error
        refused = isinstance(
            error, PermissionError | FileNotFoundError | NotADirectoryError | FileExistsError
        )
        if refused or getattr(error, "errno", None) in _REFUSED:
            raise BadConfiguration(
                f"{_FIELD}: {export.uri} cannot be written to: {error}. Name a place that exists, and give "
                "the keys of spec.credentials.secretRef the right to write and to delete there"
            ) from error
        raise Transient(f"{_FIELD}: {export.uri} could not be written to: {error}") from error
