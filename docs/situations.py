"""Writes docs/situations.md from the situations that tests make: `python -m docs.situations`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.cluster.situations.situation import Group, Situation
from tests.cluster.situations.table import GROUPS

PAGE = Path(__file__).parent / "situations.md"
_HEAD = """\
# Situations

<!-- Written by `make generate` from tests/cluster/situations/, made by tests on a real API server. -->

What keeps a run from going on, and what you then see: the state that `kubectl get bft` prints, and the
condition of `kubectl describe bft` with its reason and its message, word by word. The run is called `ads`,
the random end of a pod's name is `abcde`. What takes over a minute (`runs.patienceSeconds` of the chart)
is looked into, and again after a minute, then ever more rarely, at least every ten minutes.
[Troubleshooting](troubleshooting.md) explains each reason."""


def page() -> str:
    return "\n".join([_HEAD, *(line for group in GROUPS for line in _group(group))]) + "\n"


def _group(group: Group) -> Iterator[str]:
    yield f"\n## {group.title}"
    for situation in group.situations:
        yield from _situation(situation)


def _situation(situation: Situation) -> Iterator[str]:
    yield f"\n### {situation.title}"
    yield f"\n`{situation.shown}`; `{situation.condition}`: `{situation.reason}`"
    yield f"\n```text\n{situation.message}\n```"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
