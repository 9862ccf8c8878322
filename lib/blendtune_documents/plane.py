"""Marks over the unit square: two scores against one another, or a score against a share."""

from __future__ import annotations

from dataclasses import dataclass

from blendtune_documents.charts import Tick

QUARTERS = tuple(Tick(label=f"{quarter / 4:g}", position=25.0 * quarter) for quarter in range(5))
QUARTERS_DOWN = tuple(Tick(label=tick.label, position=100 - tick.position) for tick in reversed(QUARTERS))


@dataclass(frozen=True, slots=True)
class Segment:
    kind: str  # of each mark: the class that the style sheet knows
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Path:
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Dot:
    kind: str
    x: float
    y: float
    radius: float  # pixels
    title: str = ""  # shown when pointed at


@dataclass(frozen=True, slots=True)
class Note:
    x: float
    y: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plane:
    """What stands in a square from 0 to 1, drawn in this order. All coordinates are data's, y upwards."""

    label: str  # in words, for who cannot see it
    across: str  # what the axes show
    up: str
    segments: tuple[Segment, ...] = ()
    paths: tuple[Path, ...] = ()
    dots: tuple[Dot, ...] = ()
    notes: tuple[Note, ...] = ()


def percent_across(x: float) -> str:
    """Where it lies in a box, from the left."""
    return f"{100 * x:.2f}"


def percent_down(y: float) -> str:
    """Where it lies in a box, from the top."""
    return f"{100 - 100 * y:.2f}"
