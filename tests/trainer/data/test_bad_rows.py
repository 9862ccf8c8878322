"""Rows that cannot be learnt from: an error, or dropped, counted and listed within a limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.trainer.data.blends import Change, edit, refusal_of, rows, write_rows

from blendtune_api import codec
from blendtune_api.contract import decode_message
from blendtune_api.faults import InvalidObject
from blendtune_api.v1alpha1 import BadRowPolicy, BadRowReason, BadRows, Blend, Budget
from blendtune_runtime.errors import BadData
from blendtune_trainer.blending.packed import PackedBlend
from blendtune_trainer.prepare import prepare
from blendtune_trainer.rows.faults import Faults, RowFault, SourceFaults
from blendtune_trainer.stage import Run

EMPTY = {"instruction": "Hi?", "output": ""}
UNASKED = {"messages": [{"role": "user", "content": "Hi?"}]}
OUT_OF_TURN = {"messages": [{"role": role, "content": "x"} for role in ("user", "user", "assistant")]}


def dropping(limit: int | str = "10%", **more: Any) -> Change:
    def change(document: Any) -> None:
        document["blend"] |= {"badRows": "drop", "maxBadRows": limit}
        for path, value in more.items():
            edit(path, value)(document)

    return change


def add(path: Path, *content: dict[str, Any] | str) -> None:
    with path.open("a") as file:
        for row in content:
            file.write((row if isinstance(row, str) else json.dumps(row)) + "\n")


def listed(run: Run) -> list[tuple[str, str, str]]:
    lines = run.workspace.bad_rows.read_text().splitlines()
    return [tuple(json.loads(line)[key] for key in ("source", "place", "reason")) for line in lines]  # type: ignore[misc]


def test_dropped_rows_are_counted_listed_and_told(
    make_run: Callable[..., Run], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = prepare(make_run(edit("storage.path", "plain")))
    add(data / "ads.jsonl", EMPTY, "{oops", EMPTY, UNASKED)
    add(data / "general.jsonl", EMPTY)
    run = make_run(dropping())
    result = prepare(run)
    assert [source.bad_rows for source in result.sources] == [4, 1]
    assert result.bad_rows == (
        BadRows(reason=BadRowReason.EMPTY_CONTENT, rows=3, first="ads.jsonl:41"),
        BadRows(reason=BadRowReason.INVALID_JSON, rows=1, first="ads.jsonl:42"),
        BadRows(reason=BadRowReason.NO_ANSWER, rows=1, first="ads.jsonl:44"),
    )
    assert listed(run) == [
        ("ads", "ads.jsonl:41", "EmptyContent"),
        ("ads", "ads.jsonl:42", "InvalidJson"),
        ("ads", "ads.jsonl:43", "EmptyContent"),
        ("ads", "ads.jsonl:44", "NoAnswer"),
        ("general", "general.jsonl:151", "EmptyContent"),
    ]
    output = capsys.readouterr().out
    assert "ads: 2 bad rows: EmptyContent, first ads.jsonl:41" in output
    assert "ads: 44 rows, 4,430 tokens, 0 dropped for length, 4 bad, 4 held out" in output
    assert result.tokens == plain.tokens
    saved = decode_message(run.workspace.result("blend").read_text())
    assert codec.encode(saved)["badRows"][0] == {"reason": "EmptyContent", "rows": 3, "first": "ads.jsonl:41"}


def test_rows_that_the_template_refuses_are_bad_too(make_run: Callable[..., Run], data: Path) -> None:
    add(data / "ads.jsonl", OUT_OF_TURN)
    run = make_run(dropping(**{"model.chatTemplate": "chatml"}))
    result = prepare(run)
    assert result.bad_rows == (BadRows(reason=BadRowReason.TEMPLATE_REFUSED, rows=1, first="ads.jsonl:41"),)
    assert listed(run) == [("ads", "ads.jsonl:41", "TemplateRefused")]


@pytest.mark.parametrize(
    ("limit", "bad", "passes"),
    [
        pytest.param("1%", 1, True, id="a percentage is rounded up"),
        pytest.param("1%", 2, False, id="over a percentage"),
        pytest.param("10%", 4, True, id="within a percentage"),
        pytest.param("10%", 5, False, id="just over a percentage"),
        pytest.param(3, 3, True, id="as many as the number"),
        pytest.param(3, 4, False, id="more than the number"),
        pytest.param(0, 1, False, id="none"),
        pytest.param("0%", 1, False, id="no percentage"),
        pytest.param("100%", 40, True, id="any"),
    ],
)
def test_the_limit(
    make_run: Callable[..., Run], data: Path, limit: int | str, bad: int, passes: bool
) -> None:
    write_rows(data / "ads.jsonl", rows(40, "ads", 12)[: max(1, 40 - bad)] + [EMPTY] * bad)
    run = make_run(dropping(limit, **{"blend.sources.0.maxEpochs": 100, "blend.sources.1.maxEpochs": 100}))
    if passes:
        assert prepare(run).sources[0].bad_rows == bad
    else:
        message = refusal_of(run, BadData).message
        assert message.startswith(
            f"spec.blend.maxBadRows (ads): {bad} of 40 rows are bad, more than {limit}: "
        )
        first = 40 - bad + 1
        assert f"{bad} EmptyContent (first ads.jsonl:{first}: output is empty). Mend them" in message
    assert len(listed(run)) == bad


def test_files_that_cannot_be_read_stay_errors(make_run: Callable[..., Run], data: Path) -> None:
    (data / "ads.jsonl").write_bytes("ä".encode("utf-16"))
    assert refusal_of(make_run(dropping("100%")), BadData).message.startswith("ads.jsonl: is UTF-16")


def test_bad_rows_alone_are_no_source(make_run: Callable[..., Run], data: Path) -> None:
    write_rows(data / "ads.jsonl", [EMPTY] * 5)
    assert (
        "of 5 rows of pvc://data/ads.jsonl 5 are bad"
        in refusal_of(make_run(dropping("100%")), BadData).message
    )


def test_bad_rows_are_listed_where_they_are_errors(make_run: Callable[..., Run], data: Path) -> None:
    add(data / "ads.jsonl", *[EMPTY] * 30)
    run = make_run()
    assert "30 faults in all; these are the first 20" in refusal_of(run, BadData).message
    assert len(listed(run)) == 30
    write_rows(data / "ads.jsonl", rows(40, "ads", 12))
    prepare(run)
    assert not run.workspace.bad_rows.exists()


def test_the_validation_rows_have_a_limit_too(make_run: Callable[..., Run], data: Path) -> None:
    write_rows(data / "validation.jsonl", [*rows(5, "new", 4), EMPTY])
    held_out = {"blend.validation": {"uri": "pvc://data/validation.jsonl"}}
    run = make_run(dropping("20%", **held_out))
    assert prepare(run).bad_rows[0].first == "validation.jsonl:6"
    assert len(PackedBlend.open(run.workspace.blend).validation_bin_examples) == 5


def test_unused_columns_are_a_warning(make_run: Callable[..., Run], data: Path) -> None:
    write_rows(data / "ads.jsonl", [row | {"id": 1, "source": "web"} for row in rows(40, "ads", 12)])
    assert prepare(make_run()).warnings == ("ads: not used: id (40), source (40)",)


def test_a_source_of_other_columns(make_run: Callable[..., Run], data: Path) -> None:
    given = [{"ask": f"Q{n}?", "say": "Yes."} for n in range(40)]
    write_rows(data / "ads.jsonl", given)
    columns = {"prompt": "ask", "response": "say"}
    assert prepare(make_run(edit("blend.sources.0.columns", columns))).sources[0].examples == 2 * 36


def blend(limit: int | str) -> Blend:
    return Blend(sources=(), budget=Budget(epochs=1), max_bad_rows=limit)


@pytest.mark.parametrize(
    ("limit", "rows", "allowed"),
    [("1%", 200_000, 2000), ("0.014%", 200_000, 28), ("0.1%", 1001, 2), ("1%", 0, 0), (28, 10, 28)],
)
def test_how_many_rows_are_allowed(limit: int | str, rows: int, allowed: int) -> None:
    assert blend(limit).allowed_bad_rows(rows) == allowed


@given(st.integers(0, 100), st.integers(0, 10**9))
def test_a_percentage_allows_that_many_and_less_than_one_row_more(percent: int, rows: int) -> None:
    allowed = blend(f"{percent}%").allowed_bad_rows(rows)
    assert 0 <= 100 * allowed - percent * rows < 100


@pytest.mark.parametrize("limit", ["1", "101%", "-1%", "1.5", "%", "a%", -1, 1.5, "0.0001%", None])
def test_limits_that_are_refused(limit: object) -> None:
    document = {"sources": [{"name": "a", "role": "general", "uri": "s3://a", "weight": 1}],
                "budget": {"epochs": 1}, "maxBadRows": limit}  # fmt: skip
    if limit is None:
        assert codec.decode(Blend, document).max_bad_rows == "1%"
        return
    with pytest.raises(InvalidObject, match="maxBadRows"):
        codec.decode(Blend, document)


def test_two_hundred_thousand_rows_of_which_28_are_bad() -> None:
    faults = SourceFaults(Faults(), source="ads", policy=BadRowPolicy.DROP)
    for number in range(28):
        faults.add_row(
            f"ads.jsonl:{7000 * (number + 1)}", RowFault("output is empty", BadRowReason.EMPTY_CONTENT)
        )
    faults.check_dropped(200_000, blend("1%").allowed_bad_rows(200_000), "1%")
    faults.faults.check()
    (told,) = faults.by_reason()
    assert (told.rows, told.first) == (28, "ads.jsonl:7000")
    faults.check_dropped(200_000, blend("0.01%").allowed_bad_rows(200_000), "0.01%")
    with pytest.raises(BadData, match=r"28 of 200,000 rows are bad, more than 0\.01%: 28 EmptyContent"):
        faults.faults.check()
