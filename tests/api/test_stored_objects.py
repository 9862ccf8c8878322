"""Objects that another release has stored still read.

`stored/` holds a run and its evaluation as 0.1.0 left them in a cluster. These files never change: a
release that cannot read them has broken its users' objects.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.api.structural import as_json_schema

from blendtune_api import codec
from blendtune_api.crd import root_schema
from blendtune_api.v1alpha1 import Cluster, State, Training

Document = dict[str, Any]
STORED: dict[str, Document] = {
    file.stem: json.loads(file.read_text()) for file in Path(__file__).with_name("stored").glob("*.json")
}


@pytest.fixture(params=["blendedfinetune", "rubriceval"])
def stored(request: pytest.FixtureRequest) -> Document:
    return copy.deepcopy(STORED[request.param])


def test_it_reads_as_it_was(stored: Document) -> None:
    read = codec.decode_object(stored)
    assert read.status.state is State.SUCCEEDED
    written = codec.encode_object(read)
    assert all(written["status"][name] == value for name, value in stored["status"].items())


def test_it_is_valid_by_todays_schema(stored: Document) -> None:
    """Bounds only widen, and enums only grow: an API server checks the whole object at its next change."""
    schema = as_json_schema(root_schema(type(codec.decode_object(stored))))
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.validate(stored, schema)


def test_fields_that_came_later_have_their_defaults() -> None:
    document = copy.deepcopy(STORED["blendedfinetune"])
    for name in ("training", "cluster", "evaluation", "credentials", "suspend", "retry"):
        document["spec"].pop(name, None)
    read = codec.decode_object(document)
    assert (read.spec.training, read.spec.cluster) == (Training(), Cluster())  # type: ignore[union-attr]
    assert read.status == codec.decode_object(STORED["blendedfinetune"]).status


def test_each_part_of_a_status_may_be_missing(stored: Document) -> None:
    for path in list(_paths(stored["status"])):
        older = copy.deepcopy(stored)
        _take_out(older["status"], path)
        read = codec.decode_object(older)
        assert read.metadata.name == stored["metadata"]["name"], path


def test_what_a_later_release_wrote_into_the_status_is_passed_over(stored: Document) -> None:
    newer = copy.deepcopy(stored)
    newer["status"]["fromTheFuture"] = {"a": [1]}
    newer["status"]["conditions"][0]["severity"] = "high"
    newer["status"]["state"] = "Transcending"
    read = codec.decode_object(newer)
    assert read.status.state is None
    before = codec.decode_object(stored).status
    assert read.status.conditions == before.conditions
    assert read.status.completion_time == before.completion_time


def test_an_unknown_field_of_the_spec_is_named_not_passed_over(stored: Document) -> None:
    """From a cluster none comes: the API server takes out what its CRD lacks. In a file it is a slip."""
    stored["spec"]["modle"] = {}
    with pytest.raises(codec.InvalidObject) as raised:
        codec.decode_object(stored)
    assert [fault.path for fault in raised.value.faults] == ["spec.modle"]


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _paths(item, (*path, key))


def _take_out(value: Any, path: tuple[str | int, ...]) -> None:
    for key in path[:-1]:
        value = value[key]
    del value[path[-1]]
