"""Every field of a spec, changed on a real API server, before and after the start of a run.

It is accepted, or refused by name; after the start, some are refused as fixed. What a change then does is
tested by the module of the same name in tests/operator.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cluster.client import Client, Refused
from tests.cluster.control_plane import ControlPlane
from tests.cluster.namespaces import namespace_of
from tests.operator.builders import fine_tune, rubric_eval
from tests.operator.test_every_field import FINE_TUNE, RUBRIC_EVAL, changed, leaves

from blendtune_api import codec
from blendtune_api.fields import camel_case, fields_of
from blendtune_api.v1alpha1 import BlendedFineTune, RubricEval
from blendtune_operator.names import Kind, Object

MAKERS = {Kind.BLENDED_FINE_TUNE: (fine_tune, FINE_TUNE), Kind.RUBRIC_EVAL: (rubric_eval, RUBRIC_EVAL)}
FROZEN = {
    Kind.BLENDED_FINE_TUNE: BlendedFineTune.FROZEN_FIELDS,
    Kind.RUBRIC_EVAL: RubricEval.FROZEN_FIELDS,
}
CASES = [
    pytest.param(kind, path, id=f"{kind}-{path}")
    for kind, (_, spec) in MAKERS.items()
    for path in leaves(spec)
]


def document(kind: Kind, namespace: str, path: str = "") -> Object:
    make, spec = MAKERS[kind]
    spec = changed(spec, path, path) if path else spec
    run = make(**{field.name: getattr(spec, field.name) for field in fields_of(type(spec))})
    encoded = codec.encode_object(run)
    encoded["metadata"] = {"name": "ads", "namespace": namespace}
    encoded.pop("status", None)
    return encoded


def is_frozen(kind: Kind, path: str) -> bool:
    camel = ".".join(camel_case(part) for part in path.split("."))
    return any(camel == field or camel.startswith(f"{field}.") for field in FROZEN[kind])


@pytest.fixture(scope="module")
def place(plane: ControlPlane) -> Iterator[str]:
    """A namespace where a run of each kind has started; no operator is there."""
    client = plane.client
    with namespace_of(client, "fields") as name:
        for kind in MAKERS:
            created = client.create(document(kind, name))
            client.set_status(created, {"startTime": "2026-01-01T00:00:00Z"})
        yield name


@pytest.mark.parametrize(("kind", "path"), CASES)
def test_a_changed_field(client: Client, place: str, kind: Kind, path: str) -> None:
    changed_one = document(kind, place, path)
    fresh = {**changed_one, "metadata": {"name": "fresh", "namespace": place}}
    try:
        client.call("POST", f"{kind.path(place)}?dryRun=All&fieldValidation=Strict", fresh)
    except Refused as error:
        assert camel_case(path.split(".")[-1]) in error.message
        return
    path_of_it = f"{kind.path(place, 'ads')}?dryRun=All"
    current = client.call("GET", kind.path(place, "ads"))
    body = {**current, "spec": changed_one["spec"]}
    if is_frozen(kind, path):
        with pytest.raises(Refused, match="fixed once the"):
            client.call("PUT", path_of_it, body)
    else:
        client.call("PUT", path_of_it, body)
