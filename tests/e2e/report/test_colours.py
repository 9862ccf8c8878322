"""The report's colours are told apart by readers who see fewer of them, as Chromium shows it to others."""

from __future__ import annotations

from io import BytesIO
from itertools import combinations
from math import dist

import pytest
from PIL import Image, ImageCms
from tests.e2e.report.conftest import Read

pytestmark = pytest.mark.e2e

COLOURS = ("good", "bad", "tuned", "base", "second", "third", "fourth")
TOGETHER = [("good", "bad"), ("tuned", "base"), *combinations(("tuned", "second", "third", "fourth"), 2)]
LEAST = 12  # of CIE 1976's difference; 2.3 is just noticeable
SIZE = 20
PAINT = """names => document.body.replaceChildren(...names.map((name, index) => {
    const square = document.createElement("div");
    square.style.cssText = `position: fixed; top: 0; left: ${20 * index}px; width: 20px; height: 20px;`;
    square.style.background = `var(--${name})`;
    return square;
}))"""
TO_LAB = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")


def lab(screenshot: bytes) -> dict[str, tuple[float, float, float]]:
    """The colours of the painted squares."""
    image = ImageCms.applyTransform(Image.open(BytesIO(screenshot)).convert("RGB"), TO_LAB)
    found = {}
    for index, name in enumerate(COLOURS):
        lightness, *hue = image.getpixel((SIZE * index + SIZE // 2, SIZE // 2))
        a, b = ((value + 128) % 256 - 128 for value in hue)  # signed bytes
        found[name] = (lightness / 2.55, a, b)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("sight", ["none", "protanopia", "deuteranopia", "tritanopia"])
def test_what_stands_together_differs(read: Read, scheme: str, sight: str) -> None:
    page = read("bare", width=SIZE * len(COLOURS), height=SIZE, color_scheme=scheme).page
    page.evaluate(PAINT, COLOURS)
    page.context.new_cdp_session(page).send("Emulation.setEmulatedVisionDeficiency", {"type": sight})
    seen = lab(page.screenshot())
    assert [pair for pair in TOGETHER if dist(seen[pair[0]], seen[pair[1]]) < LEAST] == []
