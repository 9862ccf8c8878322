"""`blendtune compare`: what it takes for a report, what it refuses by name, what it prints and writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.read_reports import report, written

from blendtune_operator.cli.main import main
from blendtune_operator.cli.reports import find_reports, labels, read_reports

ONE = report("one", [1.0, 0.0, 1.0], [0.0, 0.0])
TWO = report("two", [1.0, 0.5, 1.0], [1.0, 1.0])
RUN = "claims/disk/default/{}/eval"


def test_runs_stand_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [written(each, tmp_path / each.name) for each in (ONE, TWO)]
    page = tmp_path / "both.html"
    assert main(["compare", *map(str, folders), "-o", str(page)]) == 0
    told = capsys.readouterr().out
    for words in (
        "Scores",
        "inDomain",
        "+1.000",
        "higher",
        "The shop",
        "Retention",
        "+0.200",
        "Blend",
        "49.9%",
    ):
        assert words in told, words
    assert "paired by question; their intervals have a level of 95%." in " ".join(told.split())
    text = page.read_text()
    assert "<script" not in text
    for words in ("one and two, compared", "what of shop-0?", "+1.000", "49.9%"):
        assert words in text, words


def test_three_runs_say_what_their_intervals_pay_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [written(replace(ONE, name=name), tmp_path / name) for name in "abc"]
    assert main(["compare", *map(str, folders)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "98.33% interval" in told
    assert "The runs make 3 pairs, and each interval pays for all of them: 1 - 0.05/3 (Bonferroni)" in told


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("eval/report.json", id="report"),
        pytest.param("eval/result.json", id="result beside it"),
        pytest.param("eval/report.html", id="page beside it"),
        pytest.param("eval", id="folder"),
        pytest.param("", id="workspace"),
    ],
)
def test_a_report_is_found_by_what_is_at_hand(place: str, tmp_path: Path) -> None:
    folder = written(ONE, tmp_path / "eval")
    for name in ("result.json", "report.html"):
        (folder / name).write_text("")
    assert find_reports([tmp_path / place]) == (folder / "report.json",)


def test_a_work_directory_stands_for_all_its_runs(tmp_path: Path) -> None:
    for each in (ONE, TWO):
        written(each, tmp_path / RUN.format(each.name))
    files = find_reports([tmp_path])
    assert [each.name for each in read_reports(files)] == ["one", "two"]


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for name in ("blend", "domain-only"):
        written(ONE, tmp_path / name / RUN.format("one"))
    files = find_reports([tmp_path / "blend", tmp_path / "domain-only"])
    assert labels(files, read_reports(files)) == ("one (blend)", "one (domain-only)")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("nowhere", None, "there is no such file or folder", id="missing"),
        pytest.param("report.json", "{", "is no report: it is no JSON", id="cut"),
        pytest.param("report.json", "[1]", "is no report: give eval/report.json", id="a list"),
        pytest.param("report.json", "[" * 100_000, "is no report", id="nested"),
        pytest.param("manifest.json", '{"kind": "RubricEval"}', "is no report", id="another object"),
        pytest.param(
            "result.json", '{"kind": "EvalResult", "result": {}}', "is the result of a stage,", id="result"
        ),
        pytest.param("mailed.html", "<!doctype html>", "give the report.json that was", id="page"),
        pytest.param("report.json", '{"formatVersion": 2}', "is a report of format 2", id="older"),
        pytest.param("report.json", '{"formatVersion": 3}', "is no whole report: ", id="empty"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused_by_name(
    name: str, content: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = written(ONE, tmp_path / "good"), tmp_path / name
    if content is not None:
        bad.write_text(content)
    assert main(["compare", str(good), str(bad)]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert name in told


def test_bytes_that_are_no_text_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\xff\x00")
    assert main(["compare", str(written(ONE, tmp_path / "a")), str(tmp_path / "model.safetensors")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_an_empty_folder_says_what_to_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path), str(written(ONE, tmp_path / "a" / "b"))]) == 2
    assert f"{tmp_path} holds no report.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "words"),
    [(["one"], "from 2 to 8 reports to compare: 1 found"), (["one", "one/report.json"], "is named twice")],
)
def test_one_report_alone_is_refused(
    names: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(ONE, tmp_path / "one")
    assert main(["compare", *(str(tmp_path / name) for name in names)]) == 2
    assert words in capsys.readouterr().err


def test_another_rubric_is_refused_until_common_questions_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rubric = json.loads((written(TWO, tmp_path / "two") / "report.json").read_text())["rubric"]
    other = replace(TWO, questions=TWO.questions[1:])
    places = [
        str(written(ONE, tmp_path / "one")),
        str(written(other, tmp_path / "two", {"rubric": rubric | {"version": "2.0", "digest": "other"}})),
    ]
    assert main(["compare", *places]) == 2
    told = capsys.readouterr().err
    assert "two was asked rubric kettle-shop 2.0 (other), one rubric kettle-shop 1.0" in told
    assert "4 of 4 questions are the same as in one; compare those alone with --common" in told
    assert main(["compare", *places, "--common"]) == 0
    told = capsys.readouterr().out
    assert "over the 4 questions that all were asked in the same words; left out: 1 of one" in told


def test_a_page_must_be_html(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = [str(written(each, tmp_path / each.name)) for each in (ONE, TWO)]
    assert main(["compare", *places, "-o", str(tmp_path / "both.pdf")]) == 2
    assert "name a file that ends in .html" in capsys.readouterr().err


def test_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    tag = "<script>document.title = 'run'</script>[bold]"
    places = [str(written(replace(each, name=tag + each.name), tmp_path / each.name)) for each in (ONE, TWO)]
    page = tmp_path / "page.html"
    assert main(["compare", *places, "-o", str(page)]) == 0
    assert "<script" not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()
