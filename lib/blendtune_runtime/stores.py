"""Opens the file systems of local paths and of stores."""

from __future__ import annotations

import os
from typing import Any

import fsspec

from blendtune_runtime.errors import BadConfiguration
from blendtune_runtime.store_errors import store_errors
from blendtune_runtime.uris import StorePath

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def open_store(location: StorePath, place: str) -> tuple[Any, str]:
    """The fsspec file system of a location, and the path within it. No request is made.

    `place` begins the message of BadConfiguration, if the store's address or settings are wrong.
    """
    for name in _ENDPOINTS if location.local is None else ():
        if (value := os.environ.get(name)) and not value.startswith(("http://", "https://")):
            raise BadConfiguration(f"{place}: {name} must begin with http:// or https://, and is {value!r}")
    with store_errors(place):
        filesystem, path = fsspec.core.url_to_fs(location.url)
    return filesystem, path
