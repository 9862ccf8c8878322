"""What a failed program says never holds the secrets that it was given."""

from __future__ import annotations

import pytest

from blendtune_api.contract import Failure
from blendtune_api.v1alpha1 import Reason
from blendtune_runtime.redaction import redacted

SECRET = "hf_abcdefghijklmnop"


@pytest.mark.parametrize(
    ("environment", "message", "expected"),
    [
        pytest.param({"HF_TOKEN": SECRET}, f"401 for {SECRET}", "401 for [redacted]", id="token"),
        pytest.param(
            {"AWS_SECRET_ACCESS_KEY": SECRET}, f"{SECRET}{SECRET}", "[redacted][redacted]", id="key"
        ),
        pytest.param({"db_password": f"{SECRET}\n"}, f"x:{SECRET}@y", "x:[redacted]@y", id="line end"),
        pytest.param(
            {"A_TOKEN": SECRET, "B_TOKEN": f"{SECRET}-long"},
            f"{SECRET}-long",
            "[redacted]",
            id="one in another",
        ),
        pytest.param({"HF_HOME": "/tmp/home"}, "no /tmp/home", "no /tmp/home", id="no secret"),
        pytest.param({"API_KEY": "none"}, "there is none", "there is none", id="a word"),
    ],
)
def test_values_of_secret_variables_are_taken_out(
    environment: dict[str, str], message: str, expected: str
) -> None:
    failure = Failure(reason=Reason.STAGE_FAILED, message=message)
    assert redacted(failure, environment) == Failure(reason=Reason.STAGE_FAILED, message=expected)
