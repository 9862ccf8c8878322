"""A rectangle of the picture, in pixels from its upper left corner."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    def inner(self, *, left: float, right: float, top: float, bottom: float) -> Box:
        """What is left without these margins."""
        return Box(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)

    def along(self, share: float) -> float:
        """The x at this share of the width."""
        return self.x + share * self.width

    def up(self, share: float) -> float:
        """The y at this share of the height, from below."""
        return self.bottom - share * self.height
