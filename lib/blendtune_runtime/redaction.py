"""Removes secrets that a program has in its environment from its outcome, which ends up in the status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from blendtune_api.contract import Failure, Outcome

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|KEY", re.IGNORECASE)
_SHORTEST = 8  # characters; shorter values may occur in a message by chance


def without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """The text without the values of variables whose names say that they are secret.

    Libraries put their settings into error messages, such as a URL with credentials or a header.
    """
    values = {value.strip() for name, value in environment.items() if _SECRET_NAME.search(name)}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, REDACTED)
    return text


def redacted(outcome: Outcome, environment: Mapping[str, str]) -> Outcome:
    """The outcome, with secrets removed from the message of a failure."""
    if not isinstance(outcome, Failure):
        return outcome
    return replace(outcome, message=without_secrets(outcome.message, environment))
