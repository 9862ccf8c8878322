"""YAML is read as kubectl reads it, each value with its line, and nothing else is made of it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtune_api.yaml_text import to_yaml
from blendtune_documents.yaml_lines import (
    MAX_DEPTH,
    InvalidYaml,
    MappingNode,
    Node,
    ScalarNode,
    lines,
    plain,
    read_documents,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


def read(text: str) -> Node:
    (document,) = read_documents(text)
    return document


def problem(text: str) -> str:
    with pytest.raises(InvalidYaml) as caught:
        read_documents(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-5", 3e-5),
        ("3.0e-05", 3e-5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("1_000", 1000),
        ("0x1F", 31),
        ("-0b11", -3),
        ("010", 8),
        ("08", 8.0),
        ("0", 0),
        ("+7", 7),
        ("1.10", 1.1),
        ("1:30", "1:30"),
        ("1.2.3", "1.2.3"),
        ("2025-01-01", "2025-01-01"),
        ("9" * 5000, "9" * 5000),
        ("yes", True),
        ("Off", False),
        ("y", "y"),
        ("~", None),
        ("''", ""),
        ("'3e-5'", "3e-5"),
        ('"yes"', "yes"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!int '5'", 5),
        ("=", "="),
    ],
)
def test_a_scalar_means_what_it_means_to_kubectl(text: str, value: Any) -> None:
    node = read(f"a: {text}")
    assert plain(node) == {"a": value}
    assert type(plain(node)["a"]) is type(value)


def test_a_scalar_keeps_its_text() -> None:
    node = read("a: No\nb: 1.10\nc: 'x'")
    assert isinstance(node, MappingNode)
    assert [each.text for each in node.fields.values() if isinstance(each, ScalarNode)] == ["No", "1.10", "x"]


@settings(max_examples=100, deadline=None)
@given(value=st.dictionaries(st.text(max_size=6), VALUES, min_size=1, max_size=4))
def test_what_is_written_is_read(value: dict[str, Any]) -> None:
    assert plain(read(to_yaml(value))) == value
    assert plain(read(yaml.safe_dump(value, default_style='"'))) == value


def test_every_path_has_its_line() -> None:
    text = (
        "# a comment\nspec:\n  sources:\n  - {name: a}\n  -\n    name: b\n  text: |\n    x\n\n  z:\n    1\n"
    )
    assert dict(lines(read(text))) == {
        "": 2,
        "spec": 2,
        "spec.sources": 3,
        "spec.sources[0]": 4,
        "spec.sources[0].name": 4,
        "spec.sources[1]": 6,
        "spec.sources[1].name": 6,
        "spec.text": 7,
        "spec.z": 10,
    }


def test_documents_are_read_one_by_one_and_empty_ones_left_out() -> None:
    documents = read_documents("---\n---\na: 1\n---\n# nothing\n---\n- 2\n...\n")
    assert [plain(each) for each in documents] == [{"a": 1}, [2]]
    assert [each.line for each in documents] == [3, 7]
    assert read_documents("") == []


def test_an_alias_stands_for_its_anchor_on_a_line_of_its_own() -> None:
    node = read("a: &x {b: 1}\nc:\n- *x\nd: *x\n")
    assert plain(node) == {"a": {"b": 1}, "c": [{"b": 1}], "d": {"b": 1}}
    found = dict(lines(node))
    assert (found["c[0]"], found["d"], found["d.b"]) == (3, 4, 1)


@pytest.mark.parametrize(
    "text",
    [
        "x: &x {a: 1, b: 1}\ny: {<<: *x, a: 2}",
        "x: &x {a: 1, b: 1}\ny: {a: 2, <<: *x}",
        "x: &x {b: 1}\nz: &z {b: 3, a: 3}\ny: {<<: [*x, *z], a: 2}",
    ],
)
def test_a_merge_gives_what_is_not_there(text: str) -> None:
    assert plain(read(text))["y"] == {"a": 2, "b": 1} == yaml.safe_load(text)["y"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: 1\nb:\n- c: 1\n  c: 2", "line 4: b[0].c: appears twice", id="a key twice"),
        pytest.param("a: {1: x, '1': y}", "line 1: a.1: appears twice", id="a key twice, as text"),
        pytest.param(
            "a: 1\na: 1\nb: 1\nb: 1",
            "line 2: a: appears twice\nline 4: b: appears twice",
            id="two keys twice",
        ),
        pytest.param("a: b\n c: d", "line 2: mapping values are not allowed here", id="no YAML"),
        pytest.param("a: [1", "line 1: expected ',' or ']', but got '<stream end>'", id="an open bracket"),
        pytest.param("- a\n\tb", "line 2: found character '\\t'", id="a tab"),
        pytest.param(
            "a: 1\nb: \x07", "line 2: the character U+0007 is not allowed", id="a control character"
        ),
        pytest.param("a: !!python/none x", "line 1: a: the tag tag:yaml.org,2002:python/none", id="python"),
        pytest.param("- !thing [1]", "line 1: [0]: the tag !thing is not allowed", id="a tagged list"),
        pytest.param("a: !!map x", "line 1: a: the tag tag:yaml.org,2002:map", id="text that is a mapping"),
        pytest.param("a: *x", "line 1: the alias x has no anchor before it", id="no anchor"),
        pytest.param("a: &x [*x]", "line 1: the alias x has no anchor before it", id="an alias in itself"),
        pytest.param("a: &x 1\n---\nb: *x", "line 3: the alias x", id="an anchor of another document"),
        pytest.param("? [a]\n: 1", "line 1: a key must be a text", id="a list as key"),
        pytest.param("a: {<<: 1}", "line 1: a.<<: only mappings can be merged", id="a merge of a number"),
    ],
)
def test_what_is_refused_has_its_line(text: str, message: str) -> None:
    assert problem(text).startswith(message)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 2000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("- ", "")])
def test_nesting_is_bounded(depth: int, opening: str, closing: str) -> None:
    within = opening * MAX_DEPTH + "1" + closing * MAX_DEPTH
    assert plain(read(within)) is not None
    assert f"more than {MAX_DEPTH} collections" in problem(opening * depth + "1" + closing * depth)


@pytest.mark.parametrize("wrapped", ["[{}]", "{{a: {}}}"])
def test_a_billion_laughs_are_refused(wrapped: str) -> None:
    levels = ["x0: &x0 ha"]
    for level in range(1, 40):
        copies = ", ".join([f"*x{level - 1}"] * 10)
        levels.append(f"x{level}: &x{level} " + wrapped.format(f"[{copies}]"))
    assert "values, with aliases" in problem("\n".join(levels))
