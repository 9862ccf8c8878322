"""Imports go one way: blendtune_api <- operator | trainer | evaluation, and the edges have one place each."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
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


def imported(file: Path) -> Iterator[str]:
    """Top-level packages that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: imports are absolute"
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize(("package", "file"), MODULES)
def test_imports(package: str, file: Path) -> None:
    names = set(imported(file))
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
def test_a_source_root_is_no_package(package: str) -> None:
    folder = PACKAGES[package]
    assert (folder / "__init__.py").is_file()
    assert not (folder.parent / "__init__.py").exists()


def test_the_walk_sees_imports_within_functions(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text("import os.path\ndef f():\n    from torch.nn import Linear\n", encoding="utf-8")
    assert set(imported(file)) == {"os", "torch"}
