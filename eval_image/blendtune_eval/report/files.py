"""The files of a report: report.json, answers.jsonl and report.html."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blendtune_api import codec
from blendtune_api.codec import InvalidObject
from blendtune_api.contract import REPORT_FILE, REPORT_FORMAT, REPORT_PAGE
from blendtune_eval.report.grades import grades_of, judge_agreement
from blendtune_eval.report.model import Report
from blendtune_eval.report.page import render_page
from blendtune_runtime.errors import BadConfiguration
from blendtune_runtime.files import write_json, write_text


def write_report(folder: Path, report: Report) -> None:
    """Leaves answers.jsonl, report.html and, last, report.json in the folder."""
    _write_views(folder, report)
    write_json(folder / REPORT_FILE, codec.encode(report))


def read_report(folder: Path) -> Report:
    """The report in a folder. Raises BadConfiguration where there is none of this format."""
    path = folder / REPORT_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadConfiguration(f"{folder} holds no {REPORT_FILE}: name the folder of a report") from error
    except ValueError as error:
        raise BadConfiguration(f"{path} is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("formatVersion") != REPORT_FORMAT:
        raise BadConfiguration(f"{path} is no report of format {REPORT_FORMAT}")
    try:
        return codec.decode(Report, document, lenient=True)
    except InvalidObject as error:
        raise BadConfiguration(f"{path} is no whole report of format {REPORT_FORMAT}: {error}") from error


def rebuild(folder: Path) -> Path:
    """Writes report.html and answers.jsonl again from report.json, and returns the page.

    `folder` is the report's or that of the run above it. Raises BadConfiguration where it holds no report.
    """
    place = report_folder(folder)
    _write_views(place, read_report(place))
    return place / REPORT_PAGE


def report_folder(folder: Path) -> Path:
    """The folder of a report: this one, or within that of a run."""
    return next((each for each in (folder, folder / "eval") if (each / REPORT_FILE).is_file()), folder)


def answer_lines(report: Report) -> Iterator[dict[str, Any]]:
    """One JSON object for each respondent, question and wording."""
    for index, respondent in enumerate(report.respondents):
        for question in report.questions:
            for number, wording in enumerate(question.wordings):
                yield {
                    "respondent": respondent.label,
                    "question": question.id,
                    "wording": number,
                    "prompt": wording.prompt,
                    **codec.encode(wording.answers[index]),
                }


def _write_views(folder: Path, report: Report) -> None:
    """What can be made again from report.json."""
    lines = (json.dumps(line, ensure_ascii=False) for line in answer_lines(report))
    write_text(folder / "answers.jsonl", "".join(f"{line}\n" for line in lines))
    grades = {
        key: each.correct for key, each in grades_of(folder, report).items() if each.correct is not None
    }
    write_text(folder / REPORT_PAGE, render_page(report, judge_agreement(report, grades)))
