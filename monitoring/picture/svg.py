"""A drawing in SVG: the few shapes that a dashboard needs."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

FONT = "Inter, Helvetica, Arial, 'DejaVu Sans', sans-serif"
_GLYPH = 0.6  # mean width of a letter, as a share of the size
TEXT, FAINT, GRID, BACKGROUND, SURFACE, BORDER = (
    "#d5d6dd",
    "#9fa3ae",
    "#2b2f36",
    "#111217",
    "#181b1f",
    "#2a2d33",
)


class Drawing:
    def __init__(self) -> None:
        self._shapes: list[str] = []

    def rect(
        self, x: float, y: float, width: float, height: float, fill: str, *, round: float = 2, line: str = ""
    ) -> None:
        border = f' stroke="{line}"' if line else ""
        self._shapes.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(max(width, 0))}" height="{_n(max(height, 0))}" '
            f'rx="{round}" fill="{fill}"{border}/>'
        )

    def text(
        self, x: float, y: float, text: str, *, size: float = 12, fill: str = TEXT, anchor: str = "start",
        bold: bool = False, turn: float = 0,
    ) -> None:  # fmt: skip
        more = f' text-anchor="{anchor}"' if anchor != "start" else ""
        more += ' font-weight="600"' if bold else ""
        more += f' transform="rotate({turn} {_n(x)} {_n(y)})"' if turn else ""
        self._shapes.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{size:g}" fill="{fill}"{more}>{escape(text)}</text>'
        )

    def path(self, points: Sequence[tuple[float, float]], line: str, width: float = 1.5) -> None:
        steps = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        self._shapes.append(f'<path d="M{steps}" fill="none" stroke="{line}" stroke-width="{width:g}"/>')

    def dot(self, x: float, y: float, fill: str) -> None:
        self._shapes.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="2" fill="{fill}"/>')

    def finished(self, width: int, height: int, title: str) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="{FONT}">'
        )
        ground = f'<rect width="{width}" height="{height}" fill="{BACKGROUND}"/>'
        return "\n".join([head, f"<title>{escape(title)}</title>", ground, *self._shapes, "</svg>", ""])


def wide(text: str, size: float = 12) -> float:
    """About how wide a text is, in pixels."""
    return len(text) * size * _GLYPH


def fitted(text: str, width: float, size: float = 12) -> str:
    """The text, or its beginning, so that it is about as wide as that."""
    if wide(text, size) <= width:
        return text
    return text[: max(1, int(width / size / _GLYPH) - 1)].rstrip() + "…"


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
