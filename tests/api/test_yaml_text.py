from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_api.yaml_text import to_yaml

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(
        ["yes", "No", "on", "null", "~", "1e3", "0x1", "2025-01-01", "a: b", "- a", "a #b", "", "1:2"]
    )
)
KEYS = st.text(max_size=6) | st.sampled_from(["y", "on", "1", "null", "a.b/c", "-"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(value=VALUES)
def test_a_yaml_reader_gets_back_what_was_written(value: Any) -> None:
    assert yaml.safe_load(to_yaml(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"a": {"b": [1, 2]}}, "a:\n  b:\n  - 1\n  - 2\n", id="nested"),
        pytest.param([{"a": 1, "b": 2}, []], "- a: 1\n  b: 2\n- []\n", id="list of maps"),
        pytest.param({"a": {}, "b": [], "c": ""}, 'a: {}\nb: []\nc: ""\n', id="empty"),
        pytest.param(
            {"a": "yes", "b": "Yes sir", "c": "x-y"}, 'a: "yes"\nb: "Yes sir"\nc: x-y\n', id="quotes"
        ),
        pytest.param({"a": 3e-05, "b": 1.5, "c": True}, "a: 3.0e-05\nb: 1.5\nc: true\n", id="numbers"),
        pytest.param([[1], [[2]]], "- - 1\n- - - 2\n", id="lists of lists"),
    ],
)
def test_the_text(value: Any, text: str) -> None:
    assert to_yaml(value) == text


def test_no_text_for_a_number_that_is_none() -> None:
    with pytest.raises(ValueError):
        to_yaml({"a": float("nan")})


def test_a_quoted_string_is_json() -> None:
    text = 'line\nbreak "quoted" \\ é'
    assert to_yaml(text) == json.dumps(text, ensure_ascii=False) + "\n"
