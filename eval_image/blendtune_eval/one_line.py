"""Texts from elsewhere, made fit for a message."""

from __future__ import annotations

_LENGTH = 300


def one_line(text: str) -> str:
    """What may be shown of a text from elsewhere: printable, on one line, not long."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())[:_LENGTH]
