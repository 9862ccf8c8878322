"""Lets a person grade answers of a finished evaluation in the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

from blendtune_eval.cache import Grade
from blendtune_eval.report.files import read_report, rebuild, report_folder
from blendtune_eval.report.grades import (
    GRADES,
    GradedAnswer,
    choose,
    decided_answers,
    grades_of,
    judge_agreement,
)
from blendtune_runtime.errors import BadConfiguration

_GRADES = {"y": True, "n": False}
_ASK = "Is it right? [y]es, [n]o, [s]kip, [q]uit: "


def grade(folder: Path, count: int, seed: int, ask: Callable[[str], str] = input) -> None:
    """Shows answers one by one, without their model or the judge's verdict, and keeps each grade at once.

    What was graded before is not asked again. At the end the report is written again, with the agreement.
    Raises BadConfiguration where the folder holds no report, or none of its answers was decided.
    """
    place = report_folder(folder)
    report = read_report(place)
    answers = decided_answers(report)
    if not answers:
        raise BadConfiguration(f"{place}: the judge has decided no answer, so there is none to grade")
    grades = grades_of(place, report)
    chosen = choose(answers, count, seed)
    for number, answer in enumerate(chosen, 1):
        if grades.get(answer.key) is not None:
            continue
        _show(number, len(chosen), answer)
        if (said := _asked(ask)) == "q":
            break
        grades.add({answer.key: Grade(correct=_GRADES.get(said), prompt=answer.prompt, answer=answer.answer)})
    print(f"{place / GRADES} holds the grades; the same command goes on where it was left", flush=True)
    found = judge_agreement(
        report, {key: each.correct for key, each in grades.items() if each.correct is not None}
    )
    if found is not None:
        overall = found.overall
        kappa = "undefined" if overall.kappa is None else f"{overall.kappa:.2f}"
        print(
            f"the judge agrees with you on {overall.agreed} of {overall.n} answers, {overall.share:.0%} "
            f"[{overall.low:.0%}, {overall.high:.0%}], Cohen's kappa {kappa}",
            flush=True,
        )
    print(rebuild(place), flush=True)


def _asked(ask: Callable[[str], str]) -> str:
    """The first letter of a valid reply. The end of the input quits."""
    while True:
        try:
            said = ask(_ASK).strip().lower()[:1]
        except EOFError:
            return "q"
        if said in {*_GRADES, "s", "q"}:
            return said


def _show(number: int, total: int, answer: GradedAnswer) -> None:
    width = min(100, shutil.get_terminal_size().columns)
    print(f"\n{f' {number} of {total} ':-^{width}}")
    for title, text in (
        ("question", answer.prompt),
        ("reference", answer.reference),
        ("answer", answer.answer),
    ):
        shown = "".join(each if each.isprintable() or each == "\n" else " " for each in text).strip()
        lines = [textwrap.fill(line, width) for line in (shown or "(empty)").splitlines()]
        print(f"\n{title.upper()}\n" + "\n".join(lines))
    print(flush=True)
