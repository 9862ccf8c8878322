"""The warnings to the author of a rubric, and the tools to write one."""

from __future__ import annotations

from pathlib import Path

import pytest

from blendtune_api.contract import ExitCode
from blendtune_eval.__main__ import main
from blendtune_eval.rubrics.lint import warnings
from blendtune_eval.rubrics.loader import load_file, question_lines

RETURN = 'prompt: "How long may a customer return a kettle?"'


@pytest.fixture
def skeleton(tmp_path: Path) -> Path:
    file = tmp_path / "rubric.yaml"
    assert main(["new", str(file)]) == ExitCode.SUCCESS
    return file


def test_the_skeleton_gives_no_warning(skeleton: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["lint", str(skeleton)]) == ExitCode.SUCCESS
    assert capsys.readouterr().out.startswith("rubric my-rubric 1: 6 questions")


def test_an_existing_file_is_kept(skeleton: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skeleton.write_text("mine")
    assert main(["new", str(skeleton)]) == ExitCode.BAD_CONFIGURATION
    assert skeleton.read_text() == "mine"
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param("value: 3, unit: years", "value: 3", "three-years has no unit: 3 of", id="no unit"),
        pytest.param(
            "value: 4, unit: dollars",
            "value: 4, unit: dollars, subject: teapot",
            "is called 'teapot', its subject",
            id="a subject that nothing is called",
        ),
        pytest.param(
            '  paraphrases: ["What warranty period do our kettles carry?"]\n',
            "",
            "warranty: has no paraphrases",
            id="one wording",
        ),
        pytest.param(
            'prompt: "What does standard delivery of a kettle cost?"',
            'prompt: "How long may any customer return a kettle?"',
            "of its words with question return-period",
            id="near duplicate",
        ),
        pytest.param(
            'domain: inDomain\n  prompt: "What will',
            'domain: general\n  prompt: "What will',
            "domain general: 1 questions can show no difference",
            id="too few of a domain",
        ),
        pytest.param(
            "categories:\n", "categories:\n- {name: world}\n", "world: has no question", id="unused"
        ),
    ],
)
def test_warnings(skeleton: Path, old: str, new: str, words: str) -> None:
    text = skeleton.read_text()
    assert text.count(old) == 1
    skeleton.write_text(text.replace(old, new))
    assert any(words in str(warning) for warning in warnings(load_file(skeleton), question_lines(skeleton)))


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "in a ConfigMap"])
def test_a_warning_names_its_line(skeleton: Path, wrapped: bool, capsys: pytest.CaptureFixture[str]) -> None:
    text = skeleton.read_text().replace(", unit: years", "")
    if wrapped:
        text = "kind: ConfigMap\ndata:\n  rubric.yaml: |\n" + "".join(
            f"    {line}" for line in text.splitlines(keepends=True)
        )
    skeleton.write_text(text)
    line = next(number for number, each in enumerate(text.splitlines(), 1) if "id: warranty" in each)
    main(["lint", str(skeleton)])
    assert f"{skeleton}:{line}: question warranty: the number three-years" in capsys.readouterr().out


def test_a_faulty_rubric_is_refused(skeleton: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skeleton.write_text(skeleton.read_text().replace("within 30 days", "within 31 days"))
    assert main(["lint", str(skeleton)]) == ExitCode.BAD_RUBRIC
    assert "the reference does not satisfy its own criteria" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "score"), [("Within 30 days.", "score 1.00, correct"), ("For ever.", "score 0.00, wrong")]
)
def test_preview_judges_reference_and_answer(
    skeleton: Path, answer: str, score: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--question", "return-period", "--answer", answer]
    assert main(["preview", str(skeleton), *options]) == ExitCode.SUCCESS
    shown = capsys.readouterr().out
    assert "Until when do we take kettles back?" in shown
    assert "score 1.00, correct" in shown.partition("answer:")[0]
    assert score in shown.partition("answer:")[2]
    assert "future-price" not in shown


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--question", "nowhere"], "no question 'nowhere'", id="unknown question"),
        pytest.param(["--answer", "Yes."], "needs --question", id="answer to nothing"),
    ],
)
def test_preview_refuses(
    skeleton: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", str(skeleton), *options]) == ExitCode.BAD_CONFIGURATION
    assert words in capsys.readouterr().err


def test_preview_renders_with_a_models_template(
    skeleton: Path, models_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--question", "warranty", "--model", str(models_folder / "base")]
    assert main(["preview", str(skeleton), *options]) == ExitCode.SUCCESS
    prompt = "For how long is a new kettle under warranty?"
    assert f"<|user|>{prompt}<|end|><|assistant|>" in capsys.readouterr().out
