"""What other components report of an object in their Events: the last word on what keeps it waiting."""

from __future__ import annotations

from collections.abc import Iterable

from blendtune_operator.names import Object

# A pod has a condition for as long as no node takes it; these Events outlive what they tell.
_TOLD_BY_STATUS = ("FailedScheduling", "Scheduled")
_PULLING = "Pulling"


def last_of_pod(events: Iterable[Object]) -> str:
    """What is wrong with a pod, or that its image is being pulled; empty where the last Event is neither."""
    told = [event for event in events if event.get("reason") not in _TOLD_BY_STATUS]
    last = max(told, key=_age, default=None)
    if last is None or not (_is_warning(last) or is_pulling(last)):
        return ""
    return _words(last)


def last_warning(events: Iterable[Object]) -> str:
    """The last Warning in words; empty without one."""
    warnings = [event for event in events if _is_warning(event)]
    last = max(warnings, key=_age, default=None)
    return "" if last is None else _words(last)


def is_pulling(event: Object) -> bool:
    return event.get("reason") == _PULLING


def _is_warning(event: Object) -> bool:
    return event.get("type") == "Warning"


def _age(event: Object) -> tuple[str, int]:
    """Sorts Events by when they were last seen. Some times have fractions of a second, some have none."""
    series, metadata = event.get("series") or {}, event["metadata"]
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        metadata.get("creationTimestamp"),
    )
    last = next((time for time in times if time), "")
    version = str(metadata.get("resourceVersion") or "")
    return last[:19], int(version) if version.isdigit() else 0


def _words(event: Object) -> str:
    reason, message = event.get("reason") or "", event.get("message") or ""
    return message if message.startswith(reason) else f"{reason}: {message}"
