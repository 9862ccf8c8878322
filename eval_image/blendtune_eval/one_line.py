"""Text from a server or a child process, for use in a message."""

from __future__ import annotations

_LENGTH = 300  # characters


def one_line(text: str) -> str:
    """The printable characters of the text, on one line and cut at 300."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(shown.split())[:_LENGTH]
