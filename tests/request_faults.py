"""Which fault of a server's list a request meets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol, TypeVar


class RequestFault(Protocol):
    """What goes wrong with `times` requests whose method and path match, after `passes` that go well."""

    path: str  # a regular expression, searched for
    times: int
    passes: int
    method: str


F = TypeVar("F", bound=RequestFault)


def take_fault(faults: Iterable[F], method: str, path: str) -> F | None:
    """The first fault that a request meets, counted as met."""
    for fault in faults:
        if fault.method == method and fault.times > 0 and re.search(fault.path, path):
            if fault.passes > 0:
                fault.passes -= 1
                continue
            fault.times -= 1
            return fault
    return None
