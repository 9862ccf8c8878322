"""The commands for rubric authors: lint, new, import and preview."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

from blendtune_api.v1alpha1 import Role
from blendtune_eval.check_rubric import check_alone
from blendtune_eval.judging.judge import Rules
from blendtune_eval.rubric import Question, Rubric
from blendtune_eval.rubrics.import_rubric import import_rows, slug
from blendtune_eval.rubrics.lint import warnings
from blendtune_eval.rubrics.loader import load_builtin, load_file, question_lines
from blendtune_runtime.errors import BadConfiguration


def lint(file: Path) -> Rubric:
    """Prints a warning for everything that looks doubtful. Raises BadRubric with every fault."""
    rubric = check_alone(lambda: load_file(file))
    for warning in warnings(rubric, question_lines(file)):
        print(f"{file}{warning}", flush=True)
    return rubric


def new(file: Path) -> None:
    """Writes a commented rubric to start from. Raises BadConfiguration where the file exists already."""
    _write(file, (resources.files("blendtune_eval.rubrics") / "skeleton.yaml").read_text("utf-8"))
    print(f"{file} was written: edit it, then run `blendtune rubric lint {file}`", flush=True)


def import_file(rows: Path, file: Path, domain: Role) -> None:
    """Writes a rubric of the rows that map to a question, and prints the others with the reason.

    Raises BadConfiguration where no row maps, or a file cannot be read or written.
    """
    try:
        lines = rows.read_text(encoding="utf-8-sig").split("\n")  # texts may hold other line separators
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{rows} cannot be read: {error}") from error
    imported = import_rows(lines, slug(rows.stem) or "imported", domain)
    for line, reason in imported.left_out:
        print(f"{rows}:{line}: left out: {reason}", flush=True)
    if not imported.questions:
        raise BadConfiguration(f"{rows}: no row has a question and an answer that the rules can decide")
    _write(file, imported.text)
    print(
        f"{file} holds {imported.questions} questions; {len(imported.left_out)} rows were left out",
        flush=True,
    )


def preview(
    name: str, question_id: str | None, answer: str | None, render: Callable[[str], str] = str
) -> Rubric:
    """Prints the questions of a rubric file or a built-in rubric, and how reference and answer score.

    `render` makes the prompt of a wording. Raises BadRubric for a faulty rubric; BadConfiguration for a
    question that it does not have.
    """
    file = Path(name)
    rubric = check_alone(lambda: load_file(file) if file.exists() else load_builtin(name))
    if answer is not None and question_id is None:
        raise BadConfiguration("an answer needs --question, the id of what it answers")
    chosen = rubric.questions if question_id is None else (_question(rubric, question_id),)
    for question in chosen:
        _show(question, answer, render)
    return rubric


def _question(rubric: Rubric, question_id: str) -> Question:
    """Raises BadConfiguration where the rubric has no such question."""
    try:
        return rubric.question(question_id)
    except KeyError as error:
        raise BadConfiguration(f"rubric {rubric.name} has no question {question_id!r}") from error


def _show(question: Question, answer: str | None, render: Callable[[str], str]) -> None:
    print(f"# {question.id} ({question.domain.value}, {question.category}, weight {question.weight:g})")
    for wording in question.wordings:
        print(render(wording))
    for title, text in (("reference", question.reference), ("answer", answer)):
        if text is not None:
            print(f"{title}: {text}")
            _print_judgement(question, text)
    print(flush=True)


def _print_judgement(question: Question, answer: str) -> None:
    """Prints how the rules judge an answer to the canonical wording."""
    scored = Rules().judge(question, question.prompt, answer)
    for verdict in scored.verdicts:
        met = "unsure" if verdict.doubt is not None else "met" if verdict.met else "not met"
        print(f"{met:8} {verdict.criterion}: {verdict.reason}")
    if scored.score is None:
        print(f"no score: {scored.unscored}", flush=True)
    else:
        print(f"score {scored.score:.2f}, {scored.outcome}", flush=True)


def _write(file: Path, text: str) -> None:
    """Writes a new file. Raises BadConfiguration where it exists already or cannot be written."""
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise BadConfiguration(f"{file} is there already: name another file") from error
    except OSError as error:
        raise BadConfiguration(f"{file} cannot be written: {error.strerror}") from error
