"""Imports go one way: blendtune_api <- operator | trainer | evaluation, and the edges have one place each."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "blendtune_api": ROOT / "crds/blendtune_api",
    "blendtune_operator": ROOT / "operator/blendtune_operator",
    "blendtune_trainer": ROOT / "trainer_image/blendtune_trainer",
    "blendtune_eval": ROOT / "eval_image/blendtune_eval",
}
MODULES = [
    pytest.param(name, file, id=str(file.relative_to(ROOT)))
    for name, folder in PACKAGES.items()
    for file in sorted(folder.rglob("*.py"))
]
# Which modules of the operator may import a library, by path within the package.
EDGES = {"kopf": {"handlers.py"}, "kubernetes": {"api.py"}}
HEAVY = {"torch", "transformers", "deepspeed", "datasets", "accelerate"}


def imported_modules(file: Path) -> Iterator[str]:
    """Dotted names of what a module imports, anywhere in it: modules, and what is taken from them."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported(file: Path) -> set[str]:
    """Top-level packages that a module imports."""
    return {name.split(".")[0] for name in imported_modules(file)}


def rooms(package: str) -> dict[str, set[str]]:
    """The folders and single modules of a package, each with those that it imports from."""
    root = PACKAGES[package]
    names = {path.stem for path in root.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for file in root.rglob("*.py"):
        room = file.relative_to(root).parts[0].removesuffix(".py")
        for name in imported_modules(file):
            owner, _, rest = name.partition(".")
            other = rest.split(".")[0]
            if owner == package and other in names - {room}:
                graph[room].add(other)
    return graph


@pytest.mark.parametrize(("package", "file"), MODULES)
def test_imports(package: str, file: Path) -> None:
    names = imported(file)
    assert names & PACKAGES.keys() <= {package, "blendtune_api"}
    if package == "blendtune_api":
        assert names <= sys.stdlib_module_names | {"blendtune_api"}
    if package == "blendtune_operator":
        assert not names & HEAVY
    for library, places in EDGES.items():
        if library in names:
            assert package == "blendtune_operator"
            assert str(file.relative_to(PACKAGES[package])) in places


@pytest.mark.parametrize("package", PACKAGES)
def test_folders_import_one_way(package: str) -> None:
    order = list(TopologicalSorter(rooms(package)).static_order())
    assert order  # else it has raised CycleError


@pytest.mark.parametrize("package", PACKAGES)
def test_a_source_root_is_no_package(package: str) -> None:
    folder = PACKAGES[package]
    assert (folder / "__init__.py").is_file()
    assert not (folder.parent / "__init__.py").exists()


def test_the_walk_sees_imports_within_functions(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("import os.path\ndef f():\n    from torch.nn import Linear\n", encoding="utf-8")
    assert imported(file) == {"os", "torch"}
