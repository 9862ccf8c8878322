"""Whether a judge model is one of the evaluated models. A model must not judge itself."""

from __future__ import annotations

_GENERIC_NAMES = frozenset({"", "model", "base", "main", "latest", "default"})  # they identify no model


def is_same_model(judge: str, uri: str) -> bool:
    """Whether `judge`, the name of a model at its server, names the model at `uri`, as far as names can tell.

    A server may name a model after its repository on the Hub, its folder, or the last part of either.
    Therefore only the last parts are compared, ignoring case and revision: `org/name` equals `other/name`.
    """
    name, path = _plain(judge), _plain(uri)
    last = name.rpartition("/")[2]
    return name == path or (last not in _GENERIC_NAMES and last == path.rpartition("/")[2])


def _plain(name: str) -> str:
    """`hf://Org/Name@main/` as `org/name`."""
    path = name.partition("://")[2] or name
    return path.partition("@")[0].strip("/").lower()
