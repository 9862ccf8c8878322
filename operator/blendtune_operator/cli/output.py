"""Objects as text for people and programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from blendtune_operator.cli.choices import OutputFormat
from blendtune_operator.names import Object


class _Dumper(yaml.SafeDumper):
    """Text of several lines as a block, so that a configuration within an object can be read."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def to_yaml(objects: Iterable[Object]) -> str:
    """The objects as a stream of YAML documents."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, width=120)


def to_list(objects: Iterable[Object], output: OutputFormat) -> str:
    """The objects as one Kubernetes List."""
    return to_text({"apiVersion": "v1", "kind": "List", "items": list(objects)}, output)


def to_text(document: Any, output: OutputFormat) -> str:
    return json.dumps(document, indent=2) + "\n" if output is OutputFormat.JSON else to_yaml([document])
