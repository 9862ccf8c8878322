"""Whether the model that judges is one of the judged: a model's opinion of itself is no measure."""

from __future__ import annotations

_SAY_NOTHING = frozenset({"", "model", "base", "main", "latest", "default"})  # names of any model


def is_same_model(judge: str, uri: str) -> bool:
    """Whether a judge's name at its server is that of the model at `uri`, as far as names can tell.

    Servers know a model by its name on the Hub, by its folder, or by the last part of either: the last parts
    are compared, upper and lower case and a revision passed over. `org/name` and `other/name` are the same.
    """
    name, path = _plain(judge), _plain(uri)
    last = name.rpartition("/")[2]
    return name == path or (last not in _SAY_NOTHING and last == path.rpartition("/")[2])


def _plain(name: str) -> str:
    """`hf://Org/Name@main/` as `org/name`."""
    path = name.partition("://")[2] or name
    return path.partition("@")[0].strip("/").lower()
