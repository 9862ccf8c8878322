"""Pages carry all that they need, let nothing else in, and show what they are given as text."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from blendtune_documents.pages import render
from blendtune_documents.plane import Dot, Note, Plane, Segment
from blendtune_documents.plane import Path as Curve

TAG = "</title><script>document.title = 'run'</script>"
PLANE = Plane(
    label=f"two scores {TAG}",
    across="general",
    up="in-domain",
    segments=(Segment("bound", 0.65, 0, 0.65, 1),),
    paths=(Curve("front", ((0.25, 1.0), (1.0, 1 / 3))),),
    dots=(Dot("mean best", 0.75, 0.9, 5, "share 0.5"), Dot("base", 0.1, 0, 2.5)),
    notes=(Note(0.75, 0.9, TAG),),
)


def study(**others: Any) -> str:
    values: dict[str, Any] = {
        "name": "mix", "namespace": "team", "answer": "Use 0.5.", "pursued": "inDomain", "kept": "general",
        "max_drop": 0.1, "curves": [], "against": PLANE,
        "setting_heads": (), "settings": (), "run_heads": (), "runs": (),
    }  # fmt: skip
    return render("study", values | others)


def test_marks_lie_where_their_numbers_say() -> None:
    page = study()
    assert '<line class="bound" x1="65.00%" y1="100.00%" x2="65.00%" y2="0.00%"/>' in page
    assert '<polyline class="front" points="25.00,0.00 100.00,66.67 "/>' in page
    assert '<circle class="mean best" cx="75.00%" cy="10.00%" r="5"><title>share 0.5</title></circle>' in page
    assert '<circle class="base" cx="10.00%" cy="100.00%" r="2.5"></circle>' in page
    assert re.findall(r'style="left:([\d.]+)%">([\d.]+)<', page) == [
        (f"{25.0 * n}", f"{n / 4:g}") for n in range(5)
    ]
    assert re.findall(r'style="top:([\d.]+)%">([\d.]+)<', page) == [
        (f"{25.0 * n}", f"{1 - n / 4:g}") for n in range(5)
    ]


@pytest.mark.parametrize(
    "others",
    [
        {"name": TAG},
        {"answer": TAG},
        {"runs": [(TAG,)], "run_heads": (TAG,)},
        {"curves": [(TAG, PLANE)]},
        {"kept": TAG},
    ],
)
def test_what_is_hostile_is_shown_as_text(others: Any) -> None:
    page = study(**others)
    assert "<script" not in page
    assert TAG in unescape(page)


def test_a_page_lets_nothing_in() -> None:
    page = study()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    assert page.count("<style>") == 1
    assert not re.search(r"\b(?:src|href)=", page)


def test_a_script_is_let_in_by_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "shown"
    (package / "templates").mkdir(parents=True)
    (package / "__init__.py").touch()
    script = "document.title = '<&>';"
    (package / "templates/hello.js").write_text(script)
    (package / "templates/hello.css").write_text("p > b { color: red; }")
    (package / "templates/hello.html").write_text(
        '{% extends "page.html" %}{% block main %}<p>{{ text | loud }}</p>{% endblock %}'
    )
    monkeypatch.syspath_prepend(tmp_path)
    page = render("hello", {"text": "<b>"}, package="shown", filters={"loud": str.upper})
    assert f"script-src 'sha256-{b64encode(sha256(script.encode()).digest()).decode()}';" in page
    assert f"<script>{script}</script>" in page
    assert "p > b { color: red; }" in page
    assert "<p>&lt;B&gt;</p>" in page


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="answer"):
        render("study", {"name": "mix", "namespace": "team"})
