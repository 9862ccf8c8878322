"""The documentation builds without a warning, is current, and needs nothing from elsewhere to be read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.reference import PAGE, reference

ROOT = Path(__file__).parents[2]
LOADED = re.compile(
    r"<(?:script|img|iframe)[^>]*\ssrc=\"([^\"]+)\"|<link[^>]*rel=\"stylesheet\"[^>]*href=\"([^\"]+)\""
)


def build(site: Path, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"} | {"changelog", "chart"}
    assert {page.parent.name for page in site.glob("*/index.html")} == pages


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loaded = {
        address
        for page in site.rglob("*.html")
        for found in LOADED.findall(page.read_text())
        for address in found
        if address
    }
    assert any(address.endswith("pipeline.svg") for address in loaded)
    assert [address for address in loaded if "//" in address] == []


@pytest.mark.parametrize(
    ("link", "words"),
    [
        pytest.param("[x](nowhere.md)", "nowhere.md", id="page"),
        pytest.param("[x](concepts.md#nowhere)", "#nowhere", id="anchor"),
        pytest.param("[x](../nowhere.yaml)", "nowhere.yaml", id="file of the repository"),
    ],
)
def test_a_broken_link_fails_the_build(link: str, words: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("crds", "examples", "gitops", "helm", "monitoring"):
        (tmp_path / name).symlink_to(ROOT / name)
    with (tmp_path / "docs/index.md").open("a") as page:
        page.write(f"\n{link}\n")
    done = build(tmp_path / "site", tmp_path)
    assert done.returncode != 0
    assert words in done.stderr


def test_the_reference_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make generate`"


def test_every_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "docs/security.md").read_text()))
    assert len(named) > 10
    assert [file for file in sorted(named) if not (ROOT / file).exists()] == []
