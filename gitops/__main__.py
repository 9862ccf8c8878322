"""Writes the settings of Argo CD: `python -m gitops [FILE]`, by default argocd-cm.yaml beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from blendtune_api.blend_study import BLEND_STUDY
from blendtune_api.v1alpha1 import BLENDED_FINE_TUNE, GROUP, RUBRIC_EVAL

FOLDER = Path(__file__).parent
_HEADER = """\
# Written by `python -m gitops` from health.lua. To be merged into Argo CD's own settings:
# kubectl patch configmap argocd-cm --namespace argocd --patch-file gitops/argocd-cm.yaml
"""
# Live progress changes every few seconds, and never the health: Argo CD need not look again.
_VOLATILE = ("/status/trainerStatus",)


def settings() -> dict[str, str]:
    """The keys of argocd-cm."""
    health = (FOLDER / "health.lua").read_text(encoding="utf-8")
    ignored = yaml.safe_dump({"jsonPointers": list(_VOLATILE)})
    return {
        **{
            f"resource.customizations.health.{GROUP}_{kind}": health
            for kind in (BLENDED_FINE_TUNE, RUBRIC_EVAL, BLEND_STUDY)
        },
        f"resource.customizations.ignoreResourceUpdates.{GROUP}_{BLENDED_FINE_TUNE}": ignored,
    }


def config_map() -> str:
    """The ConfigMap as YAML; each setting as a block, so that it can be read and reviewed."""
    lines = [_HEADER + "apiVersion: v1", "kind: ConfigMap", "metadata:", "  name: argocd-cm", "data:"]
    for key, text in settings().items():
        lines.append(f"  {key}: |")
        lines.extend(f"    {line}".rstrip() for line in text.splitlines())
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    file = Path(arguments[0]) if arguments else FOLDER / "argocd-cm.yaml"
    file.write_text(config_map(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
