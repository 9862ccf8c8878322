"""What a release consists of: one version, and one name for each thing that is published."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "helm/blendtune"
PLATFORMS = ("linux/amd64", "linux/arm64")


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """`name` is as the chart's values have it, without a registry."""

    name: str
    dockerfile: str
    requirements: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    version: str
    images: Mapping[str, Image]
    chart: str  # its name below a registry, beside the images

    def document(self) -> dict[str, Any]:
        """As programs read it: what is built from which file, under which name."""
        return {
            "version": self.version,
            "platforms": list(PLATFORMS),
            "images": {
                short: {"name": image.name, "dockerfile": image.dockerfile}
                for short, image in self.images.items()
            },
            "chart": {"name": self.chart, "file": f"{self.chart.rsplit('/')[-1]}-{self.version}.tgz"},
        }


def version() -> str:
    """That of the distribution, which all others have too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def described() -> Release:
    """The release of this checkout. Raises ValueError where a part of it has another version."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    found = version()
    for field in ("version", "appVersion"):
        if str(chart[field]) != found:
            raise ValueError(
                f"{CHART}/Chart.yaml: {field} is {chart[field]}, in pyproject.toml it is {found}"
            )
    repositories = {
        "operator": values["image"]["repository"],
        "trainer": values["runs"]["trainer"]["repository"],
        "eval": values["runs"]["eval"]["repository"],
    }
    folders = {"operator": "operator", "trainer": "trainer_image", "eval": "eval_image"}
    images = {
        short: Image(
            name=name, dockerfile=f"{folders[short]}/Dockerfile", requirements=f"requirements/{short}.txt"
        )
        for short, name in repositories.items()
    }
    owner = repositories["operator"].rpartition("/")[0]
    return Release(version=found, images=images, chart=f"{owner}/charts/{chart['name']}")
