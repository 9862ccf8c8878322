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
RECORDS = sorted(f"design/{page.name}" for page in (ROOT / "docs/design").glob("*.md"))
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(
    r"(?:[.\w-]+/)+[\w.-]*|\w+\.(?:md|py|toml|yaml|yml)|Makefile"
)  # or a folder, which ends in a slash
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
    docs = ROOT / "docs"
    pages = {str(page.relative_to(docs).with_suffix("")) for page in docs.rglob("*.md")}
    built = {str(page.parent.relative_to(site)) for page in site.rglob("index.html")}
    assert built == pages - {"index"} | {".", "changelog", "chart"}


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
    ("page", "link", "words"),
    [
        pytest.param("index.md", "[x](nowhere.md)", "nowhere.md", id="page"),
        pytest.param("index.md", "[x](concepts.md#nowhere)", "#nowhere", id="anchor"),
        pytest.param("index.md", "[x](../nowhere.yaml)", "no nowhere.yaml in", id="file of the repository"),
        pytest.param(RECORDS[0], "[x](../../nowhere.yaml)", "no nowhere.yaml in", id="the same, from below"),
        pytest.param(RECORDS[0], "[x](../nowhere.md)", "nowhere.md", id="page above"),
    ],
)
def test_a_broken_link_fails_the_build(page: str, link: str, words: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    for name in ("mkdocs.yml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("crds", "examples", "gitops", "helm", "monitoring"):
        (tmp_path / name).symlink_to(ROOT / name)
    with (tmp_path / "docs" / page).open("a") as file:
        file.write(f"\n{link}\n")
    done = build(tmp_path / "site", tmp_path)
    assert done.returncode != 0
    assert words in done.stderr


def test_the_reference_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run `make generate`"


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", "docs/security.md", *(f"docs/{each}" for each in RECORDS)]
)
def test_every_file_that_is_named_is_there(page: str) -> None:
    named = {word.split("::")[0] for code in CODE.findall((ROOT / page).read_text()) for word in code.split()}
    files = {word for word in named if FILE.fullmatch(word)}
    assert files
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("page", RECORDS)
def test_a_design_record_is_a_page_with_four_sections(page: str) -> None:
    text = (ROOT / "docs" / page).read_text()
    assert re.match(rf"# {Path(page).name[:4]}: \S", text)
    sections = ["Context", "Decision", "Consequences", "What would change this"]
    assert re.findall("^## (.+)$", text, re.MULTILINE) == sections
    assert len(text.split()) < 450


def test_design_records_are_numbered() -> None:
    assert [Path(page).name[:5] for page in RECORDS] == [
        f"{number:04}-" for number in range(1, len(RECORDS) + 1)
    ]
