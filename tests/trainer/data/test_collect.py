"""Reading the rows of a source: places, folders, progress, and where a URI leads."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from tests.trainer.data.reading import read

from blendtune_trainer.rows.splits import Split

CHAT = {"messages": [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Yes."}]}


def answered(answer: str) -> str:
    """A row with this answer, as JSON."""
    return json.dumps({"instruction": "Hi?", "output": answer})


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def test_jsonl_names_the_line_of_each_row_and_fault(tmp_path: Path) -> None:
    path = tmp_path / "ads.jsonl"
    lines = [
        json.dumps(CHAT).encode(),
        b"",
        b'{"messages": [',
        json.dumps({"messages": CHAT["messages"][:1]}).encode(),
        b'{"instruction": "\xff"}',
        json.dumps(CHAT).encode(),
    ]
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines) + b"\n")
    found = read(path)
    assert found.places == ["ads.jsonl:1", "ads.jsonl:6"]
    message = found.message.split("\n")
    assert message[0].startswith("ads.jsonl:3: not valid JSON: Expecting value, at column ")
    assert message[1] == "ads.jsonl:4: no assistant turn: there is nothing to learn from this row"
    assert message[2].startswith("ads.jsonl:5: not valid UTF-8 at byte 18 of the line. If all of the file")


def test_a_json_list_names_the_line_where_a_row_begins(tmp_path: Path) -> None:
    path = tmp_path / "ads.json"
    path.write_text(json.dumps([CHAT, {"text": "a"}, CHAT], indent=1))
    found = read(path)
    starts = [number for number, line in enumerate(path.read_text().split("\n"), 1) if line == " {"]
    assert found.places == [f"ads.json:{starts[0]}", f"ads.json:{starts[2]}"]
    assert found.message.startswith(f"ads.json:{starts[1]}: a row needs messages")


def test_parquet_rows_have_numbers(tmp_path: Path) -> None:
    table = pyarrow.Table.from_pylist([CHAT, {"messages": CHAT["messages"][:1]}, CHAT])
    pyarrow.parquet.write_table(table, tmp_path / "ads.parquet")
    found = read(tmp_path / "ads.parquet")
    assert found.places == ["ads.parquet row 1", "ads.parquet row 3"]
    assert found.message.startswith("ads.parquet row 2: no assistant turn")


def test_every_file_of_a_folder_is_read_in_order_of_names_or_told(tmp_path: Path) -> None:
    files = {
        "b/2.jsonl": answered("b"),
        "a.json": f"[{answered('a')}]",
        "c.NDJSON": answered("c"),
        "b/.hidden.jsonl": answered("hidden"),
        "_draft/d.jsonl": answered("draft"),
        "notes.txt": "x",
    }
    quiet = ("README.md", "LICENSE", "dataset_info.json", ".git/config", "_SUCCESS", "a.lock", ".DS_Store")
    write(tmp_path, files | dict.fromkeys(quiet, "{}"))
    found = read(tmp_path)
    assert found.places == ["a.json:1", "b/2.jsonl:1", "c.NDJSON:1"]
    assert not found.faults.faults.count
    assert list(found.notes.warnings()) == [
        "not read: _draft/d.jsonl (hidden), b/.hidden.jsonl (hidden), notes.txt (not a file of rows)"
    ]


@pytest.mark.parametrize("name", ["rows.zip", "rows.tar.gz", "rows.xlsx", "rows.gz", "sub/rows.avro"])
def test_a_file_that_may_hold_rows_is_not_passed_over(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"a.jsonl": answered("a"), name: "x"})
    found = read(tmp_path)
    assert found.answers == ["a"]
    assert found.message.startswith(f"{name}: cannot be read, though it may hold rows")


@pytest.mark.parametrize(
    ("trained", "validated", "others"),
    [
        pytest.param(["train.jsonl"], ["test.jsonl"], [], id="train and test"),
        pytest.param(
            ["data/train-0.jsonl"], ["data/validation-0.jsonl"], ["data/test-0.jsonl"], id="three splits"
        ),
        pytest.param(["train/0.jsonl"], ["dev/0.jsonl"], [], id="folders"),
        pytest.param(["ads.jsonl"], ["ads_eval.jsonl"], [], id="a test beside another"),
        pytest.param(["ads.jsonl", "train.jsonl"], ["valid.jsonl"], [], id="train and more"),
    ],
)
def test_a_test_split_is_not_trained_on(
    tmp_path: Path, trained: list[str], validated: list[str], others: list[str]
) -> None:
    files = {*trained, *validated, *others}
    write(tmp_path, {name: answered(name) for name in files})
    for purpose, names in ((Split.TRAIN, trained), (Split.VALIDATION, validated)):
        found = read(tmp_path, purpose)
        assert found.answers == names
        (told,) = found.notes.warnings()
        assert all(file in told for file in files - {*names})


@pytest.mark.parametrize("names", [["a.jsonl", "b.jsonl"], ["contest.jsonl", "latest.jsonl"]])
def test_without_splits_all_files_are_read(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, {name: answered(name) for name in names})
    for purpose in Split:
        assert read(tmp_path, purpose).answers == names


def test_a_test_split_alone_is_told(tmp_path: Path) -> None:
    write(tmp_path, {"test.jsonl": answered("a")})
    assert list(read(tmp_path).notes.warnings()) == [
        "trained on, though named as a test or validation split: test.jsonl (1 times)"
    ]
    assert not list(read(tmp_path / "test.jsonl").notes.warnings())


def test_rows_know_how_much_of_their_source_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f"{json.dumps(CHAT)}\n" * 3)
    (tmp_path / "b.json").write_text(json.dumps([CHAT] * 4))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([CHAT] * 2), tmp_path / "c.parquet")
    whole = sum(path.stat().st_size for path in tmp_path.iterdir())
    first = (tmp_path / "a.jsonl").stat().st_size
    shares = [row.fraction_read or 0 for row in read(tmp_path).rows]
    assert shares[:3] == pytest.approx([first / 3 / whole, 2 * first / 3 / whole, first / whole])
    assert shares == sorted(set(shares))
    assert shares[-1] == pytest.approx(1)


@pytest.mark.parametrize("name", ["missing.jsonl", "missing"])
def test_a_missing_file_is_named_with_its_field(tmp_path: Path, name: str) -> None:
    message = read(tmp_path / name).message
    assert message == f"spec.blend.sources[0].uri: no such file or folder: {tmp_path / name}"


def test_an_empty_folder_is_a_fault(tmp_path: Path) -> None:
    assert "holds no .jsonl, .ndjson, .jsonlines, .json, .csv" in read(tmp_path).message


def test_the_first_twenty_faults_are_shown_and_all_counted(tmp_path: Path) -> None:
    (tmp_path / "ads.jsonl").write_text("oops\n" * 31)
    lines = read(tmp_path / "ads.jsonl").message.split("\n")
    assert len(lines) == 21
    assert lines[19].startswith("ads.jsonl:20: ")
    assert lines[20] == "... 31 faults in all; these are the first 20"
