"""`make sbom` lists what the lock files install, all of it and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGES = ("operator", "trainer", "eval")


def recipe(target: str) -> str:
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the recipe of `make sbom` writes, run with this Python."""
    folder = tmp_path_factory.mktemp("sbom")
    script = recipe("sbom").replace("build/sbom", str(folder)).replace("$(IMAGES)", " ".join(IMAGES))
    script = script.replace("$(BIN)/cyclonedx-py", f"{sys.executable} -m cyclonedx_py").replace("$$", "$")
    script = script.replace("\t@", "").replace("\t", "")
    subprocess.run(["bash", "-euc", script], cwd=ROOT, check=True, timeout=120)
    return folder


@pytest.mark.parametrize("image", IMAGES)
def test_the_bill_is_the_lock(image: str, bills: Path) -> None:
    bill = json.loads((bills / f"{image}.cdx.json").read_text())
    locked = (ROOT / f"requirements/{image}.txt").read_text().splitlines()
    assert bill["bomFormat"] == "CycloneDX"
    assert sorted(f"{each['name']}=={each['version']}" for each in bill["components"]) == sorted(locked)
    assert all(each["purl"].startswith("pkg:pypi/") for each in bill["components"])


@pytest.mark.parametrize("image", IMAGES)
def test_the_image_installs_the_lock_and_nothing_else(image: str) -> None:
    folder = {"operator": "operator", "trainer": "trainer_image", "eval": "eval_image"}[image]
    text = (ROOT / folder / "Dockerfile").read_text()
    assert re.findall(r"install\.sh (.+)", text) == [f"/opt/requirements/{image}.txt"]
    assert "pip" not in text


def test_what_installs_takes_one_requirements_file() -> None:
    script = (ROOT / "lib/image/install.sh").read_text()
    assert re.findall(r"pip install (.+)", script) == ['--quiet --compile-bytecode -r "$1"']


def test_every_image_is_audited() -> None:
    images = re.search(r"^IMAGES := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert images
    assert tuple(images[1].split()) == IMAGES
    assert "--strict" in recipe("audit")
