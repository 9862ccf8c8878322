"""The health of a run by Argo CD itself: `argocd admin settings`, with the settings that are in the docs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.e2e.binaries import program
from tests.gitops import test_health
from tests.operator.world import World

from blendtune_operator.names import Kind, Object

pytestmark = pytest.mark.peers
SETTINGS = Path(__file__).parents[3] / "gitops" / "argocd-cm.yaml"


def health(obj: Object, folder: Path) -> tuple[str, str]:
    """Status and message."""
    manifest = folder / "object.yaml"
    manifest.write_text(yaml.safe_dump(obj))
    done = subprocess.run(
        [program("argocd"), "admin", "settings", "resource-overrides", "health", manifest,
         "--argocd-cm-path", SETTINGS],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    status, _, message = done.stdout.partition("\n")
    return status.removeprefix("STATUS: "), message.removeprefix("MESSAGE: ").strip()


CASES = {
    Kind.BLENDED_FINE_TUNE: test_health.FINE_TUNES,
    Kind.RUBRIC_EVAL: test_health.EVALUATIONS,
    Kind.BLEND_STUDY: test_health.STUDIES,
}


@pytest.mark.parametrize(
    ("kind", "world", "status", "words"),
    [
        pytest.param(kind, *case.values, id=f"{kind}, {case.id}")
        for kind, cases in CASES.items()
        for case in cases
    ],
)
def test_the_health_is_what_it_shows(
    kind: Kind, world: Callable[[], World], status: str, words: str, tmp_path: Path
) -> None:
    shown = next(obj for obj in world() if obj["kind"] == kind)
    found = health(shown, tmp_path)
    assert found[0] == status
    assert words in found[1]
