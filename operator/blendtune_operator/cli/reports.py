"""Finds and reads reports by what a person has at hand: a file, a folder, a work directory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from blendtune_api import codec
from blendtune_api.codec import InvalidObject
from blendtune_api.contract import REPORT_FILE, REPORT_FORMAT, REPORT_PAGE, ReadReport
from blendtune_operator.cli.manifest import ManifestError

_EVALUATION = "eval"  # the folder of a report within the workspace of its run
_BESIDE = ("result.json", REPORT_PAGE, "answers.jsonl", "progress.json")  # files of the same folder


def find_reports(places: Sequence[Path]) -> tuple[Path, ...]:
    """The report.json of each place: a report's file or folder, a run's workspace, or a work directory.

    A work directory stands for all its runs. Raises ManifestError for every place without a report, and for a
    report that is named twice.
    """
    faults: list[str] = []
    found: list[Path] = []
    for place in places:
        files = list(_reports_of(place))
        if not files:
            faults.append(_nothing_in(place))
        for file in files:
            if file.resolve() in (other.resolve() for other in found):
                faults.append(f"{file} is named twice")
            else:
                found.append(file)
    if faults:
        raise ManifestError(faults)
    return tuple(found)


def read_reports(files: Sequence[Path]) -> tuple[ReadReport, ...]:
    """Raises ManifestError for every file that is no report of the format that is read here."""
    faults: list[str] = []
    reports: list[ReadReport] = []
    for file in files:
        try:
            reports.append(_read(file))
        except _NoReport as error:
            faults.append(f"{file} {error}")
    if faults:
        raise ManifestError(faults)
    return tuple(reports)


def labels(files: Sequence[Path], reports: Sequence[ReadReport]) -> tuple[str, ...]:
    """A name for each report: that of its run and, where others share it, what differs in its path."""
    names = [report.name for report in reports]
    if len(set(names)) == len(names):
        return tuple(names)
    parts = [file.resolve().parent.parts for file in files]
    depth = max(map(len, parts))
    padded = [(*each, *[""] * (depth - len(each))) for each in parts]
    differing = [index for index in range(depth) if len({each[index] for each in padded}) > 1]
    return tuple(
        name if names.count(name) == 1 else f"{name} ({'/'.join(each[index] for index in differing)})"
        for name, each in zip(names, padded, strict=True)
    )


class _NoReport(ValueError):
    """What is wrong with a file, to follow its name."""


def _reports_of(place: Path) -> Iterator[Path]:
    if place.is_file():
        beside = place.with_name(REPORT_FILE)
        yield beside if place.name in _BESIDE and beside.is_file() else place
        return
    near = [place / REPORT_FILE, place / _EVALUATION / REPORT_FILE]
    if direct := [file for file in near if file.is_file()]:
        yield direct[0]
    else:
        yield from sorted(place.rglob(f"{_EVALUATION}/{REPORT_FILE}"))


def _nothing_in(place: Path) -> str:
    if not place.exists():
        return f"{place}: there is no such file or folder"
    return (
        f"{place} holds no {REPORT_FILE}, which an evaluation writes last: name a report, its folder, the "
        "workspace of a run, or the --workdir of `blendtune run`"
    )


def _read(file: Path) -> ReadReport:
    document = _document(file)
    if not isinstance(document, dict) or "formatVersion" not in document:
        is_result = isinstance(document, dict) and (
            {"kind", "result"} <= set(document) or "deflated" in document
        )
        what = "is the result of a stage, without its questions" if is_result else "is no report"
        raise _NoReport(f"{what}: give {_EVALUATION}/{REPORT_FILE} of the run's workspace")
    if document["formatVersion"] != REPORT_FORMAT:
        raise _NoReport(
            f"is a report of format {document['formatVersion']}, and this version of blendtune reads format "
            f"{REPORT_FORMAT}: evaluate that model again"
        )
    try:
        return codec.decode(ReadReport, document, lenient=True)
    except InvalidObject as error:
        raise _NoReport(f"is no whole report: {error}") from error


def _document(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _NoReport(f"cannot be read: {error}") from error
    if file.suffix == ".html" or text.lstrip()[:1] == "<":
        raise _NoReport(f"is a page, which holds no data: give the {REPORT_FILE} that was written beside it")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _NoReport(f"is no report: it is no JSON ({error})") from error
