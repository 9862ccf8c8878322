from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml


class KubectlLoader(yaml.SafeLoader):
    """YAML as kubectl reads it: `3e-5` is a number and a timestamp is a string."""


KubectlLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
KubectlLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+"),
    list("-+.0123456789"),
)


@pytest.fixture
def design_manifest() -> dict[str, Any]:
    text = (Path(__file__).parent / "design_manifest.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, KubectlLoader)
    return document


@pytest.fixture
def minimal_fine_tune() -> dict[str, Any]:
    return {
        "apiVersion": "blendtune.io/v1alpha1",
        "kind": "BlendedFineTune",
        "metadata": {"name": "minimal"},
        "spec": {
            "model": {"uri": "hf://org/model"},
            "blend": {
                "budget": {"epochs": 3},
                "sources": [{"name": "ads", "role": "inDomain", "uri": "pvc://data/ads.jsonl", "weight": 1}],
            },
            "storage": {"persistentVolumeClaim": "blendtune"},
        },
    }


@pytest.fixture
def minimal_rubric_eval() -> dict[str, Any]:
    return {
        "apiVersion": "blendtune.io/v1alpha1",
        "kind": "RubricEval",
        "metadata": {"name": "minimal"},
        "spec": {"model": {"uri": "hf://org/model"}, "storage": {"persistentVolumeClaim": "blendtune"}},
    }
