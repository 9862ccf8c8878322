"""Grafana's colours: of series in their order, by name, by threshold and from red to green."""

from __future__ import annotations

from monitoring.grafana import Json

PALETTE = (
    "#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#ffa6b0", "#96d98d",
    "#ffee52", "#ca95e5", "#37872d",
)  # fmt: skip
_NAMED = {
    "green": "#73bf69", "yellow": "#fade2a", "red": "#f2495c", "blue": "#5794f2", "orange": "#ff9830",
    "purple": "#b877d9", "light-blue": "#8ab8ff", "text": "#9fa3ae",
}  # fmt: skip
_SCALE = ((0xF2, 0x49, 0x5C), (0xFA, 0xDE, 0x2A), (0x73, 0xBF, 0x69))


def named(name: str) -> str:
    return _NAMED[name]


def of_value(panel: Json, name: str, value: float) -> str:
    """The colour of one value: the one fixed for its name, else that of the highest threshold it reaches."""
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == name:
            for each in override["properties"]:
                if each["id"] == "color":
                    return named(each["value"]["fixedColor"])
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    reached = [step for step in steps if step["value"] is None or value >= step["value"]]
    return named(reached[-1]["color"])


def from_red_to_green(share: float) -> str:
    """Between red at 0, yellow at a half and green at 1."""
    place = min(max(share, 0.0), 1.0) * (len(_SCALE) - 1)
    first = min(int(place), len(_SCALE) - 2)
    mixed = (
        round(low + (high - low) * (place - first))
        for low, high in zip(_SCALE[first], _SCALE[first + 1], strict=True)
    )
    return "#" + "".join(f"{part:02x}" for part in mixed)
