"""The contracts of pyproject.toml hold, and break where an import goes up a floor."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "blendtune_api": ROOT / "crds/blendtune_api",
    "blendtune_core": ROOT / "lib/blendtune_core",
    "blendtune_documents": ROOT / "lib/blendtune_documents",
    "blendtune_runtime": ROOT / "lib/blendtune_runtime",
    "blendtune_operator": ROOT / "operator/blendtune_operator",
    "blendtune_trainer": ROOT / "trainer_image/blendtune_trainer",
    "blendtune_eval": ROOT / "eval_image/blendtune_eval",
}
# What each may import beside the standard library and the packages below it.
FLOORS = {
    "blendtune_api": set(),
    "blendtune_core": {"numpy"},
    "blendtune_documents": {"jinja2", "markupsafe", "ruamel"},
}
# Which modules of the operator may import a library, by path within the package.
EDGES = {"kopf": {"watching/handlers.py"}, "kubernetes": {"api.py", "client/kubeconfig.py"}}


def check_imports(folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Runs the contracts on the packages in `folder`, which lie side by side."""
    return subprocess.run(
        [
            Path(sys.executable).with_name("lint-imports"),
            "--config",
            ROOT / "pyproject.toml",
            "--cache-dir",
            cache,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """The packages side by side, as links, each file of which may be replaced."""
    house = tmp_path / "house"
    for name, folder in PACKAGES.items():
        for file in folder.rglob("*.py"):
            link = house / name / file.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    return house


def test_the_contracts_hold(house: Path, tmp_path: Path) -> None:
    checked = check_imports(house, tmp_path / "cache")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_operator_starts_without_what_only_models_need() -> None:
    """Its image has none of these: requirements/operator.txt."""
    program = "import sys, blendtune_operator.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"numpy", "torch", "transformers", "datasets"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "text", "broken"),
    [
        pytest.param(
            "blendtune_api/added.py", "import blendtune_core.gates", "imports go down only", id="one floor up"
        ),
        pytest.param(
            "blendtune_api/added.py",
            "import blendtune_operator.cli",
            "imports go down only",
            id="three floors up",
        ),
        pytest.param(
            "blendtune_core/added.py",
            "def f():\n    import blendtune_runtime.files",
            "imports go down only",
            id="up, within a function",
        ),
        pytest.param(
            "blendtune_eval/added.py",
            "import blendtune_trainer.stage",
            "imports go down only",
            id="a neighbour",
        ),
        pytest.param(
            "blendtune_documents/added.py",
            "import blendtune_runtime.files",
            "imports go down only",
            id="a neighbour on the floor below",
        ),
        pytest.param(
            "blendtune_operator/added.py",
            "import blendtune_runtime.files",
            "the operator imports nothing that runs models",
            id="the operator, of the images' floor",
        ),
        pytest.param(
            "blendtune_operator/added.py",
            "import torch",
            "the operator imports nothing that runs models",
            id="the operator, of torch",
        ),
        pytest.param(
            "blendtune_core/added.py",
            "import blendtune_core.added_too",
            "folders and files import one way",
            id="a circle",
        ),
    ],
)
def test_a_wrong_import_breaks_them(module: str, text: str, broken: str, house: Path, tmp_path: Path) -> None:
    (house / module).write_text(text + "\n")
    if "added_too" in text:
        (house / "blendtune_core/added_too.py").write_text("import blendtune_core.added\n")
    checked = check_imports(house, tmp_path / "cache")
    assert checked.returncode == 1
    assert f"{broken} BROKEN" in checked.stdout


def imported(file: Path) -> Iterator[str]:
    """Top-level packages that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            yield str(node.module).split(".")[0]


@pytest.mark.parametrize("package", FLOORS)
def test_a_lower_floor_imports_the_standard_library(package: str) -> None:
    below = set(list(PACKAGES)[: list(PACKAGES).index(package) + 1])
    allowed = sys.stdlib_module_names | below | FLOORS[package]
    for file in PACKAGES[package].rglob("*.py"):
        assert set(imported(file)) <= allowed, file


@pytest.mark.parametrize("library", EDGES)
def test_a_library_is_met_at_its_edges_alone(library: str) -> None:
    places = [
        f"{package}/{file.relative_to(folder)}"
        for package, folder in PACKAGES.items()
        for file in folder.rglob("*.py")
        if library in imported(file)
    ]
    assert set(places) <= {f"blendtune_operator/{place}" for place in EDGES[library]} and places


@pytest.mark.parametrize("package", PACKAGES)
def test_a_source_root_is_no_package(package: str) -> None:
    folder = PACKAGES[package]
    assert (folder / "__init__.py").is_file()
    assert not (folder.parent / "__init__.py").exists()


def test_the_walk_sees_imports_within_functions(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(dedent("import os.path\ndef f():\n    from torch.nn import Linear\n"), encoding="utf-8")
    assert set(imported(file)) == {"os", "torch"}
