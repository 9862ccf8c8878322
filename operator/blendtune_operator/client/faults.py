"""What keeps a person's command from being carried out, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ClientError(Exception):
    """Faults, one a line, each with what to do about it."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def nearest(name: str, known: Iterable[str]) -> str:
    """A question that names what is spelt alike; else a list of what there is; empty if there is nothing."""
    known = sorted(set(known))
    alike = get_close_matches(name, known, n=3, cutoff=0.6)
    if alike:
        return f"did you mean {' or '.join(alike)}?"
    if not known:
        return ""
    verb, more = ("is" if len(known) == 1 else "are"), (", ..." if len(known) > 8 else "")
    return f"there {verb} {', '.join(known[:8])}{more}"
