"""The commands that the documentation shows, one by one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PROMPT = "$ "


@dataclass(frozen=True)
class Command:
    page: str
    words: tuple[str, ...]

    @property
    def program(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def commands(*programs: str) -> list[Command]:
    """Those of these programs, or all. Of a block with prompts, only what follows one is a command."""
    found = dict.fromkeys(command for page in _pages() for command in _of_page(page))
    return [command for command in found if not programs or command.program in programs]


def _pages() -> Iterator[Path]:
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))
    yield from sorted((ROOT / "docs").rglob("*.md"))
    yield ROOT / "helm/blendtune/README.md"


def _of_page(page: Path) -> Iterator[Command]:
    for block in _BLOCK.findall(page.read_text()):
        lines = block.replace("\\\n", " ").splitlines()
        if any(line.startswith(_PROMPT) for line in lines):
            lines = [line.removeprefix(_PROMPT) for line in lines if line.startswith(_PROMPT)]
        for line in lines:
            words = shlex.split(line, comments=True)
            if words:
                yield Command(str(page.relative_to(ROOT)), tuple(words))
