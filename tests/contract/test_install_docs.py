"""docs/install.md names the presets, images and packages that there are."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from blendtune_api.contract import GpuPreset
from blendtune_operator.settings import GPU_PRESETS, MIB, Settings

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/install.md").read_text()
VERSION = yaml.safe_load((ROOT / "helm/blendtune/Chart.yaml").read_text())["appVersion"]
BUILDS = {"operator": "operator", "trainer": "trainer_image", "eval": "eval_image"}
PRODUCT = "nvidia.com/gpu.product"


def row(preset: GpuPreset) -> str:
    """A preset as a line of the table."""
    product = preset.node_selector.get(PRODUCT)
    assert set(preset.node_selector) <= {PRODUCT}
    memory = f"{preset.memory_bytes // MIB:,} MiB" if preset.memory_bytes else ""
    peak = f"{preset.peak_flops / 1e12:g} TFLOP/s" if preset.peak_flops else ""
    return f"| `{preset.name}` | {f'`{product}`' if product else 'any'} | {memory} | {peak} |"


def test_the_table_has_every_preset() -> None:
    section = DOCS.partition("### GPU presets")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert [line for line in rows if not line.startswith("| `gpuType`")] == [*map(row, GPU_PRESETS.values())]


def test_a_preset_of_ones_own_is_added_to_the_built_in_ones() -> None:
    (block,) = re.findall(r"```yaml\n(runs:\n  gpuPresets:.*?)```", DOCS, re.DOTALL)
    written = json.dumps(yaml.safe_load(block)["runs"]["gpuPresets"])
    presets = Settings.from_environment({"BLENDTUNE_GPU_PRESETS": written}).gpu_presets
    (added,) = (preset for name, preset in presets.items() if name not in GPU_PRESETS)
    built_in = GPU_PRESETS["a100-80gb"]
    assert (added.memory_bytes, added.peak_flops) == (built_in.memory_bytes, built_in.peak_flops)
    assert (added.resource_name, added.tolerations) == (built_in.resource_name, built_in.tolerations)


@pytest.mark.parametrize(("image", "folder"), BUILDS.items())
def test_an_image_is_built_and_pushed_under_the_name_that_the_chart_gives_it(image: str, folder: str) -> None:
    name = f"blendtune/{image}:{VERSION}"
    assert f"docker build -f {folder}/Dockerfile -t registry.example.com/{name} .\n" in DOCS
    assert f"docker push registry.example.com/{name}\n" in DOCS
    assert f"-t REGISTRY/{name} .\n" in (ROOT / folder / "Dockerfile").read_text()


def test_the_images_carry_the_cuda_that_the_driver_must_know() -> None:
    assert "images carry CUDA 13" in DOCS
    for image in ("trainer", "eval"):
        packages = (ROOT / f"requirements/{image}.txt").read_text()
        assert re.findall(r"^cuda-toolkit==(\d+)", packages, re.MULTILINE) == ["13"]


def test_the_trackers_are_those_of_the_distribution() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    page = (ROOT / "docs/training.md").read_text()
    assert [tracker for tracker in extras["tracking"] if f'"{tracker}"' not in page] == []
    assert f"FROM registry.example.com/blendtune/trainer:{VERSION}\n" in page
