"""Writes the CRDs: `python -m blendtune_api.generate [FOLDER ...]`, by default into `FOLDERS`."""

from __future__ import annotations

import sys
from pathlib import Path

from blendtune_api.crd import RESOURCES, custom_resource_definition
from blendtune_api.v1alpha1 import GROUP
from blendtune_api.yaml_text import to_yaml

_ROOT = Path(__file__).parents[2]
FOLDERS = (_ROOT / "crds", _ROOT / "helm/blendtune/files/crds")  # Helm reads nothing outside of its chart


def crd_files() -> dict[str, str]:
    """The text of each CRD, by file name."""
    return {
        f"{GROUP}_{resource.plural}.yaml": to_yaml(custom_resource_definition(resource))
        for resource in RESOURCES
    }


def main(arguments: list[str]) -> None:
    for folder in map(Path, arguments) if arguments else FOLDERS:
        for name, text in crd_files().items():
            (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
