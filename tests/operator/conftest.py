"""Every gang, for the modules whose tests hold for all of them."""

from __future__ import annotations

import pytest
from tests.operator import world

from blendtune_api.v1alpha1 import Gang
from blendtune_operator.gang import BACKENDS


@pytest.fixture(params=BACKENDS, ids=str)
def every_gang(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Gang:
    """The gang of all runs of the test that name none."""
    gang = Gang(request.param)
    monkeypatch.setattr(world, "GANG", gang)
    return gang
