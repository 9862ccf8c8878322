"""Merges a user's partial pod template over the rendered one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The keys by which core/v1 itself merges volumeMounts, and containers, env and volumes.
_LIST_KEYS = ("mountPath", "name")


def merge(base: Any, overlay: Any) -> Any:
    """`overlay` merged over `base`; neither of them is changed.

    Maps merge by key, and a key set to null is removed. Lists whose items all have a `mountPath` or a `name`
    merge by it: items of both are merged in place, new ones are appended. Anything else is replaced.
    """
    if isinstance(base, Mapping) and isinstance(overlay, Mapping):
        merged = dict(base)
        for key, value in overlay.items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = merge(base[key], value) if key in base else value
        return merged
    if isinstance(base, list) and isinstance(overlay, list):
        key = _list_key([*base, *overlay])
        return overlay if key is None else _merge_by(key, base, overlay)
    return overlay


def _list_key(items: Sequence[Any]) -> str | None:
    if items and all(isinstance(item, Mapping) for item in items):
        return next((key for key in _LIST_KEYS if all(_has_text(item, key) for item in items)), None)
    return None


def _has_text(item: Mapping[Any, Any], key: str) -> bool:
    return isinstance(item.get(key), str)


def _merge_by(key: str, base: list[Any], overlay: list[Any]) -> list[Any]:
    changes = {item[key]: item for item in overlay}
    merged = [merge(item, changes[item[key]]) if item[key] in changes else item for item in base]
    known = {item[key] for item in base}
    return merged + [item for name, item in changes.items() if name not in known]
