"""What each command at a cluster asks the API server for, as rules of a Role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_GROUP = "blendtune.io"
_KINDS = ("blendedfinetunes", "rubricevals", "blendstudies")


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on resources of one API group; "" is the core group."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        names = [f"{each}.{self.group}" if self.group else each for each in self.resources]
        return f"{', '.join(self.verbs)} {', '.join(names)}"


_FIND = Right(_GROUP, _KINDS, ("get", "list"))
_WATCH = Right(_GROUP, _KINDS, ("get", "list", "watch"))
_CHANGE = Right(_GROUP, _KINDS, ("patch",))
_READ_CLAIM = (
    _FIND,
    Right("", ("persistentvolumeclaims",), ("get",)),
    Right("batch", ("jobs",), ("list",)),
    Right("", ("pods",), ("create", "delete", "get", "list", "watch")),
    Right("", ("pods/exec",), ("create", "get")),
    Right("", ("events",), ("list",)),
)

RIGHTS: Mapping[str, tuple[Right, ...]] = {
    "submit": (
        _WATCH,
        Right(_GROUP, _KINDS, ("create", "patch")),
        Right("", ("configmaps",), ("create", "get", "patch")),
    ),
    "status": (_WATCH,),
    "wait": (_WATCH,),
    "logs": (
        _WATCH,
        Right("", ("pods",), ("list", "watch")),
        Right("", ("pods/log",), ("get",)),
    ),
    "suspend": (_FIND, _CHANGE),
    "resume": (_FIND, _CHANGE),
    "retry": (_FIND, _CHANGE),
    "report": _READ_CLAIM,
    "compare": _READ_CLAIM,
    "cp": _READ_CLAIM,
    "ui": (_WATCH,),
}
OF_VIEW = frozenset({"status", "wait", "logs", "ui"})  # all others need `edit`


def table() -> str:
    """The rights as a table in Markdown."""
    head = "| Command | Role | Rights |\n|---|---|---|\n"
    rows = (
        f"| `{name}` | `{'view' if name in OF_VIEW else 'edit'}` | {'; '.join(map(str, rights))} |\n"
        for name, rights in RIGHTS.items()
    )
    return head + "".join(rows)
