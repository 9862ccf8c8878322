"""The wheel with its light extra, as pipx installs it: in an environment in which nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = [pytest.mark.runs, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
RUN = ROOT / "examples/first-run/run.yaml"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel and what its extra `client` names."""
    folder = tmp_path_factory.mktemp("wheel")
    made = folder / "environment"
    build = [UV, "build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--out-dir", folder, ROOT], check=True)
    (wheel,) = folder.glob("blendtune-*.whl")
    assert wheel.name == f"blendtune-{VERSION}-py3-none-any.whl"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, made], check=True)
    install = [UV, "pip", "install", "--quiet", "--python", made / "bin/python"]
    locked = ["--constraint", ROOT / "requirements/dev.txt"]
    subprocess.run([*install, *locked, f"blendtune[client] @ {wheel.as_uri()}"], check=True)
    return made / "bin"


def types(programs: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [programs / words[0], *words[1:]]
    return subprocess.run(
        command, env=environment, cwd=programs, capture_output=True, text=True, timeout=300, check=False
    )


def test_nothing_heavy_is_installed(programs: Path) -> None:
    listed = types(programs, "python", "-c", (
        "from importlib.metadata import distributions\n"
        "print(*sorted(each.name.lower() for each in distributions()))"
    )).stdout.split()  # fmt: skip
    assert "blendtune" in listed
    assert not {"torch", "transformers", "datasets", "deepspeed", "kopf", "pandas"} & set(listed)
    assert len(listed) < 50


@pytest.mark.parametrize(("program", "name"), [
    ("blendtune", "blendtune"), ("kubectl-blendtune", "kubectl blendtune"),
])  # fmt: skip
def test_both_programs_tell_their_commands(programs: Path, program: str, name: str) -> None:
    told = types(programs, program, "--help")
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"usage: {name} ")
    assert "submit" in told.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("validate", "-f", RUN),
        ("estimate", "-f", RUN, "--tokens", "6e6", "--parameters", "7.6e9"),
        ("render", "-f", RUN),
        ("crds",),
        ("completion", "zsh"),
        ("rubric", "new", "rubric.yaml"),
    ],
    ids=lambda words: words[0],
)
def test_what_needs_no_cluster_works(programs: Path, words: tuple[str, ...]) -> None:
    done = types(programs, "blendtune", *words)
    assert done.returncode == 0, done.stderr


def test_a_command_at_a_cluster_gets_as_far_as_the_kubeconfig(programs: Path) -> None:
    done = types(programs, "blendtune", "status", "--context", "nowhere")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_what_the_light_extra_cannot_do_names_what_is_missing(programs: Path) -> None:
    done = types(programs, "blendtune", "run", "-f", str(RUN))
    assert done.returncode == 2
    assert "pipx install 'blendtune[operator,trainer,eval]'" in done.stderr
