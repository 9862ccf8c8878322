"""The words that options of the command line can be given."""

from __future__ import annotations

from enum import StrEnum


class OutputFormat(StrEnum):
    JSON = "json"
    YAML = "yaml"


class Awaited(StrEnum):
    """What `blendtune wait` waits for: the decision on the gates, or any end."""

    GATES = "gates"
    FINISHED = "finished"


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
