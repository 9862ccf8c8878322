from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from blendtune_api.crd import RESOURCES, custom_resource_definition
from blendtune_api.generate import FOLDERS, crd_files
from blendtune_api.v1alpha1 import ConditionType, Reason

CRDS = Path(__file__).parents[2] / "crds"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
@pytest.mark.parametrize("name", crd_files())
def test_the_committed_crd_is_the_generated_one(name: str, folder: Path) -> None:
    assert (folder / name).read_bytes() == crd_files()[name].encode(), "run `make generate`"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_no_other_crd_lies_beside_them(folder: Path) -> None:
    assert {file.name for file in folder.glob("*.yaml")} == set(crd_files())


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_the_text_says_what_the_definition_says(resource: object) -> None:
    definition = custom_resource_definition(resource)  # type: ignore[arg-type]
    text = crd_files()[f"blendtune.io_{definition['spec']['names']['plural']}.yaml"]
    assert yaml.safe_load(text) == definition
    assert len(text) < 256 * 1024, "kubectl apply keeps a copy in an annotation of at most 256 KiB"


def test_the_generator_writes_into_the_folder_it_is_given(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "blendtune_api.generate", str(tmp_path)]
    subprocess.run(command, cwd=CRDS, check=True, timeout=60)
    assert {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()} == crd_files()


@pytest.mark.parametrize("names", [Reason, ConditionType], ids=lambda names: names.__name__)
def test_reasons_and_condition_types_are_unique_words(names: type[Reason] | type[ConditionType]) -> None:
    values = [member.value for member in names.__members__.values()]
    assert len(values) == len(set(values))
    assert all(value.isalpha() and value[0].isupper() for value in values)
