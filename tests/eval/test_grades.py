"""A person's grades: which answers are shown, what is kept, and what the report makes of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.eval.conftest import Pod, workspace_folder

from blendtune_eval.evaluate import evaluate
from blendtune_eval.report.files import read_report
from blendtune_eval.report.grade import grade
from blendtune_eval.report.grades import GRADES, GradedAnswer, choose, decided_answers, grades_of
from blendtune_runtime.errors import StageError

pytestmark = pytest.mark.usefixtures("one_thread")


def answer(number: int, *, correct: bool, respondent: int) -> GradedAnswer:
    return GradedAnswer(
        key=str(number),
        prompt="p",
        reference="r",
        answer=str(number),
        respondent=respondent,
        judged_correct=correct,
    )


def replies(*words: str) -> Callable[[str], str]:
    """A person who types these words, and then presses control and D."""
    left = iter(words)

    def ask(_: str) -> str:
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    return ask


@pytest.mark.parametrize(
    ("correct", "others", "expected"),
    [
        pytest.param(100, 100, (15, 15), id="equally-many"),
        pytest.param(4, 100, (4, 26), id="few-correct"),
        pytest.param(0, 100, (0, 30), id="none-correct"),
        pytest.param(5, 6, (5, 6), id="fewer-than-asked"),
    ],
)
def test_the_choice_is_balanced_and_seeded(correct: int, others: int, expected: tuple[int, int]) -> None:
    answers = [
        answer(number, correct=number < correct, respondent=number % 2) for number in range(correct + others)
    ]
    chosen = choose(answers, 30, seed=1)
    verdicts = Counter(each.judged_correct for each in chosen)
    assert (verdicts[True], verdicts[False]) == expected
    by_model = Counter(each.respondent for each in chosen)
    assert abs(by_model[0] - by_model[1]) <= 2
    assert len({each.key for each in chosen}) == len(chosen)
    assert chosen == choose(answers, 30, seed=1)
    assert set(answers) == set(choose(answers, 1_000, seed=1))


def test_grades_are_kept_at_once_and_shown_in_the_report(
    pod: Pod, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = pod()
    evaluate(environment)
    folder = workspace_folder(environment)
    report = read_report(folder / "eval")
    answers = {each.answer: each for each in decided_answers(report)}
    assert "The judge and a person" not in (folder / "eval" / "report.html").read_text()
    capsys.readouterr()

    grade(folder, 3, seed=1, ask=replies("hm", "n"))  # ended after one grade
    shown = capsys.readouterr().out
    assert len((folder / "eval" / GRADES).read_text().splitlines()) == 1
    for hidden in (report.respondents[0].uri, "wrong", "notAttempted", "Rules"):
        assert hidden not in shown

    grade(folder, 3, seed=1, ask=replies("s", "y"))
    grades = dict(grades_of(folder / "eval", report).items())
    assert [each.correct for each in grades.values()] == [False, None, True]
    assert all(each.answer in answers for each in grades.values())
    same = sum(answers[each.answer].judged_correct is each.correct for each in grades.values())
    assert f"agrees with you on {same} of 2 answers" in capsys.readouterr().out
    page = (folder / "eval" / "report.html").read_text()
    assert "The judge and a person" in page and "Cohen's kappa" in page

    with (folder / "eval" / GRADES).open("a") as file:
        file.write('{"identity": "half a li')
    grade(folder, 3, seed=1, ask=replies())
    lines = (folder / "eval" / GRADES).read_text().splitlines()
    assert [json.loads(line)["value"]["correct"] for line in lines] == [False, None, True]


def test_without_a_report_there_is_nothing_to_grade(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"holds no report\.json"):
        grade(tmp_path, 30, seed=1, ask=replies())
