from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_operator.render.merge import merge


@pytest.mark.parametrize(
    ("base", "overlay", "expected"),
    [
        pytest.param({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}, id="maps by key"),
        pytest.param({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}, id="nested maps"),
        pytest.param({"a": 1, "b": 2}, {"b": None}, {"a": 1}, id="null removes"),
        pytest.param(
            [{"name": "x", "v": 1}, {"name": "y"}],
            [{"name": "x", "w": 2}, {"name": "z"}],
            [{"name": "x", "v": 1, "w": 2}, {"name": "y"}, {"name": "z"}],
            id="named lists by name",
        ),
        pytest.param(
            [{"name": "v", "mountPath": "/a"}],
            [{"name": "v", "mountPath": "/b"}],
            [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}],
            id="one volume may be mounted twice",
        ),
        pytest.param(["a"], ["b"], ["b"], id="plain lists are replaced"),
        pytest.param([{"key": "gpu"}], [{"key": "spot"}], [{"key": "spot"}], id="unnamed items are replaced"),
        pytest.param([{"name": "x"}], [], [{"name": "x"}], id="an empty list adds nothing"),
        pytest.param({"a": [1]}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="another type replaces"),
    ],
)
def test_merge(base: Any, overlay: Any, expected: Any) -> None:
    assert merge(base, overlay) == expected


json_values = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.sampled_from("abc"), children, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None, derandomize=True)
@given(json_values, json_values)
def test_merging_changes_neither_side_and_twice_is_once(base: Any, overlay: Any) -> None:
    before = copy.deepcopy((base, overlay))
    once = merge(base, overlay)
    assert merge(once, overlay) == once
    assert (base, overlay) == before


@settings(deadline=None, derandomize=True)
@given(json_values)
def test_an_empty_overlay_changes_nothing(base: Any) -> None:
    if isinstance(base, dict):
        assert merge(base, {}) == base
