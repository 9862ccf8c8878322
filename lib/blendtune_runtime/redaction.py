"""Secrets that a program was given by its environment stay out of what it leaves for the status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from blendtune_api.contract import Failure, Outcome

REDACTED = "[redacted]"
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|KEY", re.IGNORECASE)
_SHORTEST = 8  # characters; what is shorter is a word or a number that may stand in a message by chance


def without_secrets(text: str, environment: Mapping[str, str]) -> str:
    """The text without the values of the variables that are secret by their name.

    Libraries put what they were configured with into their errors: a URL with credentials, a header.
    """
    values = {value.strip() for name, value in environment.items() if _SECRET_NAME.search(name)}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            text = text.replace(value, REDACTED)
    return text


def redacted(outcome: Outcome, environment: Mapping[str, str]) -> Outcome:
    """The outcome; a failure's message without secrets."""
    if not isinstance(outcome, Failure):
        return outcome
    return replace(outcome, message=without_secrets(outcome.message, environment))
