"""The cache: what it forgets must be gone, and an old list must not undo a newer event."""

from __future__ import annotations

from typing import Any

import pytest
from tests.operator.builders import fine_tune

from blendtune_api import codec
from blendtune_operator.names import OWNER_UID, Kind, Object
from blendtune_operator.watching.cache import Cache, key_of


def child(name: str, version: int, owner: str = "uid-1", kind: Kind = Kind.JOB, uid: str = "") -> Object:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.value,
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": uid or f"uid-of-{name}",
            "resourceVersion": str(version),
            "labels": {OWNER_UID: owner},
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {"suspend": False, "template": {"spec": {"containers": [{"name": "blend"}]}}},
    }


def parent(version: int = 1) -> Object:
    document = codec.encode_object(fine_tune())
    document["metadata"] |= {"namespace": "team", "uid": "uid-1", "resourceVersion": str(version)}
    return document


def names(cache: Cache) -> list[str]:
    return [obj["metadata"]["name"] for obj in cache.children("uid-1")]


def test_an_older_version_does_not_replace_a_newer_one() -> None:
    cache = Cache()
    cache.apply(child("a", 5) | {"status": {"active": 1}})
    cache.apply(child("a", 4))
    assert cache.children("uid-1")[0]["status"] == {"active": 1}


def test_an_object_made_anew_under_the_same_name_replaces_the_old_one() -> None:
    cache = Cache()
    cache.apply(child("a", 5, uid="old"))
    cache.apply(child("a", 6, uid="new"))
    cache.remove(child("a", 5, uid="old"))
    assert names(cache) == ["a"]


@pytest.mark.parametrize(
    ("known_version", "left"),
    [pytest.param(5, [], id="older than the list: gone"), pytest.param(9, ["a"], id="newer: just created")],
)
def test_what_a_list_lacks(known_version: int, left: list[str]) -> None:
    cache = Cache()
    cache.apply(child("a", known_version))
    cache.replace(Kind.JOB, [], 7, None)
    assert names(cache) == left


def test_a_list_of_one_kind_or_namespace_leaves_the_others_alone() -> None:
    cache = Cache()
    cache.apply(child("a", 1))
    cache.apply(child("b", 1, kind=Kind.POD))
    cache.replace(Kind.JOB, [], 9, "elsewhere")
    cache.replace(Kind.POD, [], 9, "team")
    assert names(cache) == ["a"]


@pytest.mark.parametrize(
    ("listed", "missed"),
    [(child("a", 6), True), (child("a", 5), False), (child("b", 1), True)],
    ids=["newer", "same", "unknown"],
)
def test_what_the_watch_has_missed(listed: Object, missed: bool) -> None:
    cache = Cache()
    cache.apply(child("a", 5))
    assert cache.missed(listed) is missed


def test_a_change_concerns_the_object_itself_and_the_run_that_it_serves() -> None:
    cache = Cache()
    cache.apply(parent())
    pod = child("a-pod", 2, kind=Kind.POD)
    assert list(cache.keys_for(pod)) == [key_of(parent())]
    assert list(cache.keys_for(parent())) == [key_of(parent())]
    assert list(cache.keys_for(child("stranger", 2, owner="another"))) == []


def test_templates_and_managed_fields_are_not_kept() -> None:
    cache = Cache()
    cache.apply(child("a", 1))
    kept: dict[str, Any] = cache.children("uid-1")[0]
    assert kept["spec"] == {"suspend": False}
    assert "managedFields" not in kept["metadata"]


def test_runs_are_decoded_once_for_each_version_and_unreadable_ones_left_out() -> None:
    cache = Cache()
    cache.apply(parent())
    (first,) = cache.runs()
    assert cache.runs()[0] is first
    cache.apply(parent(2))
    assert cache.runs()[0] is not first
    cache.apply(parent(3) | {"spec": {"model": 7}})
    assert cache.runs() == []
    cache.remove(parent(3))
    assert cache.run_keys() == ()


def test_what_has_gone_does_not_come_back_by_a_late_answer() -> None:
    cache = Cache()
    cache.apply(child("a", 5))
    cache.remove(child("a", 7))
    assert not cache.apply(child("a", 6))
    assert names(cache) == []


def test_what_was_hidden_by_its_labels_comes_back_with_them() -> None:
    cache = Cache()
    cache.apply(child("a", 5))
    cache.remove(child("a", 6))
    assert cache.apply(child("a", 7))
    assert names(cache) == ["a"]


@pytest.mark.parametrize(
    ("phase", "left"),
    [pytest.param("Failed", ["a"], id="ended"), pytest.param("Running", [], id="it may still run")],
)
def test_a_removed_pod_is_kept_if_it_had_ended(phase: str, left: list[str]) -> None:
    """The last state of a pod comes with the news of its removal, and no list holds it any more."""
    cache = Cache()
    cache.apply(child("a", 5, kind=Kind.POD) | {"status": {"phase": "Running"}})
    cache.remove(child("a", 7, kind=Kind.POD) | {"status": {"phase": phase}})
    cache.replace(Kind.POD, [], 9, None)
    assert names(cache) == left
    assert cache.children("another") == []


def test_only_the_latest_removed_pods_are_kept() -> None:
    cache = Cache()
    for n in range(2000):
        cache.remove(child(f"{n}", n, kind=Kind.POD) | {"status": {"phase": "Failed"}})
    assert len(names(cache)) == 1000
    assert names(cache)[-1] == "1999"
