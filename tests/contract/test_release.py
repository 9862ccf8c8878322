"""`make release-dry` leaves parts whose names and versions agree, and the workflows publish those."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from release import PLATFORMS, ROOT, described, version
from tests.e2e.binaries import program

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yaml"))
RELEASE = described()


def built(name: str) -> str:
    try:
        return program(name)
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("release")
    command = [sys.executable, "-m", "release", "--helm", built("helm"), "--folder", str(made)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=300)
    return made


def test_everything_has_one_version(folder: Path) -> None:
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        (metadata,) = (name for name in files.namelist() if name.endswith(".dist-info/METADATA"))
        assert f"\nVersion: {version()}\n" in files.read(metadata).decode()
    (package,) = folder.glob("*.tgz")
    with tarfile.open(package) as chart:
        content = chart.extractfile("blendtune/Chart.yaml")
        assert content is not None
        described_chart = yaml.safe_load(content.read())
    assert described_chart["version"] == described_chart["appVersion"] == version()
    document = json.loads((folder / "release.json").read_text())
    assert document["version"] == version()
    assert document["chart"]["file"] == package.name


@pytest.mark.parametrize(
    ("bill", "name", "requirements"),
    [
        ("blendtune", "blendtune", "requirements/client.txt"),
        *((short, image.name, image.requirements) for short, image in RELEASE.images.items()),
    ],
)
def test_a_bill_is_that_of_what_is_published(folder: Path, bill: str, name: str, requirements: str) -> None:
    content: Any = json.loads((folder / f"{bill}.cdx.json").read_text())
    component = content["metadata"]["component"]
    assert (component["name"], component["version"]) == (name, version())
    locked = (ROOT / requirements).read_text().split()
    assert sorted(f"{each['name']}=={each['version']}" for each in content["components"]) == sorted(locked)


def test_the_checksums_are_those_of_all_files(folder: Path) -> None:
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    summed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    others = {file.name: file for file in folder.iterdir() if file.name != "SHA256SUMS"}
    assert summed == {name: sha256(file.read_bytes()).hexdigest() for name, file in others.items()}


@pytest.mark.parametrize("image", RELEASE.images.values(), ids=RELEASE.images)
def test_an_image_is_built_from_its_file_and_lock(image: Any) -> None:
    text = (ROOT / image.dockerfile).read_text()
    assert f"-t REGISTRY/{image.name}:{version()} ." in text
    assert f"COPY {image.requirements} " in text


def test_the_light_extra_is_locked_as_everything_is() -> None:
    locked = set((ROOT / "requirements/client.txt").read_text().split())
    assert locked <= set((ROOT / "requirements/dev.txt").read_text().split())


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_actionlint_accepts(file: Path) -> None:
    command = [built("actionlint"), "-no-color", "-shellcheck=", "-pyflakes=", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_refuses_what_is_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "ci.yaml"
    wrong.write_text(
        (ROOT / ".github/workflows/ci.yaml").read_text().replace("matrix.tier }}", "matrix.teir }}")
    )
    command = [built("actionlint"), "-no-color", "-shellcheck=", "-pyflakes=", str(wrong)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "teir" in done.stdout


def test_the_workflows_run_all_tiers_and_publish_all_parts() -> None:
    ci, release = (
        yaml.safe_load((ROOT / f".github/workflows/{name}.yaml").read_text()) for name in ("ci", "release")
    )
    run = {f"make {each['tier']}" for each in ci["jobs"]["test"]["strategy"]["matrix"]["include"]}
    run |= {step["run"] for step in ci["jobs"]["e2e"]["steps"] if "run" in step}
    assert set(re.findall(r"make [\w-]+", (ROOT / ".ci/run").read_text())) <= run
    assert release["jobs"]["image"]["strategy"]["matrix"]["image"] == [*RELEASE.images]
    assert set(PLATFORMS) == {"linux/amd64", "linux/arm64"}


def test_only_the_users_value_names_a_registry() -> None:
    text = (ROOT / ".github/workflows/release.yaml").read_text()
    assert not re.findall(r"\b(?:ghcr\.io|docker\.io|quay\.io|gcr\.io)\b", text)
    assert set(re.findall(r"^ +registry: (.+)$", text, re.MULTILINE)) == {"${{ vars.REGISTRY }}"}
