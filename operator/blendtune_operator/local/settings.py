"""The operator's settings on one machine."""

from __future__ import annotations

from datetime import timedelta

from blendtune_api.v1alpha1 import Gang
from blendtune_operator.settings import Settings

GRACE_PERIOD = timedelta(minutes=2)


def local_settings() -> Settings:
    """The defaults of a cluster with file:// URIs and shorter waits: nothing here is shared with others."""
    return Settings(
        allow_file_uris=True,
        gang=Gang.PYTORCH_JOB,
        backoff_base=timedelta(seconds=1),
        backoff_cap=timedelta(seconds=10),
        grace_period=GRACE_PERIOD,
        progress_interval=timedelta(seconds=1),
    )
