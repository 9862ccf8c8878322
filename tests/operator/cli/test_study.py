"""What a person gets of a study on this machine: the table, the page, and faults with file and line."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console
from tests.operator.study.studies import Scores, kneed, study, world_of

from blendtune_api.blend_study import BlendStudy
from blendtune_operator.cli.main import main
from blendtune_operator.cli.manifest import ManifestError, load, load_study
from blendtune_operator.cli.study_page import study_page
from blendtune_operator.cli.study_view import study_table
from blendtune_operator.plan.study.points import grid
from blendtune_operator.plan.study.validation import study_refusals
from blendtune_operator.settings import Settings

EXAMPLES = Path(__file__).parents[3] / "examples"


def ended(scores: Scores = kneed) -> BlendStudy:
    world = world_of(study(parallelism=6))
    world.finish_all(scores)
    return world.study


class Tags(HTMLParser):
    """Counts tags by name and class, and that they are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        self.seen.append((tag, given.get("class") or ""))
        self.addresses += [value for name, value in attrs if name in ("src", "href")]


def test_the_page_shows_every_run_the_front_and_the_answer() -> None:
    value = ended()
    page = study_page(value)
    tags = Tags(page)
    assert {what: tags.seen.count(what) for what in set(tags.seen) if what[0] in ("circle", "polyline")} == {
        ("circle", "run"): 6,
        ("circle", "mean"): 2,
        ("circle", "mean best"): 1,
        ("circle", "base"): 1,
        ("polyline", "front"): 1,
        **{("circle", f"run {metric}"): 6 for metric in ("pursued", "kept")},
        **{("circle", f"mean {metric}"): 2 for metric in ("pursued", "kept")},
        **{("circle", f"mean {metric} best"): 1 for metric in ("pursued", "kept")},
        **{("polyline", metric): 1 for metric in ("pursued", "kept")},
    }
    assert tags.seen.count(("line", "interval")) == 6
    assert "Use share 0.5." in page
    assert not tags.addresses


def test_the_page_of_a_study_without_results_says_so() -> None:
    page = study_page(world_of(study()).study)
    assert "The study has not ended." in page


def test_the_table_marks_the_front() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(study_table(ended()))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    (front,) = [line for line in lines if "*" in line and not line.startswith("*")]
    assert re.match(r"share 0\.5 \* +2 +0\.90 \(", front)


def test_run_points_to_study(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("apiVersion: blendtune.io/v1alpha1\nkind: BlendStudy\nmetadata: {name: a}\nspec: {}\n")
    with pytest.raises(ManifestError, match=r"study.yaml:2: kind: .*`blendtune study` runs it"):
        load([path])


def test_a_fault_has_its_line(tmp_path: Path) -> None:
    text = (EXAMPLES / "study/study.yaml").read_text().replace("maxDrop: 0.35", "maxDrop: 35")
    path = tmp_path / "study.yaml"
    path.write_text(text)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "maxDrop" in row)
    with pytest.raises(ManifestError) as caught:
        load_study([path])
    assert (
        f"{path}:{line}: spec.objective.subjectTo.maxDrop: must be at most 1, not 35" in caught.value.faults
    )
    assert any("configMapRef: no ConfigMap demo-rubric" in fault for fault in caught.value.faults)


def test_the_example_of_the_paper_can_run_on_a_cluster() -> None:
    value = load_study([EXAMPLES / "study/paper.yaml"]).study
    assert study_refusals(value, Settings()) == ()
    assert len(grid(value.spec)) == 60


def test_validate_takes_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "paper.yaml"
    path.write_text((EXAMPLES / "study/paper.yaml").read_text())
    assert main(["validate", "-f", str(path)]) == 0
    assert "BlendStudy paper is valid" in capsys.readouterr().err
    path.write_text(path.read_text().replace("tokens: 50000000", "epochs: 3"))
    assert main(["validate", "-f", str(path)]) == 2
    assert "paper.yaml:26: spec.template.spec.blend.budget: hold: tokens" in capsys.readouterr().err


def test_a_bound_that_the_rubric_cannot_tell_apart_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "paper.yaml"
    text = (EXAMPLES / "study/paper.yaml").read_text()
    path.write_text(re.sub(r"maxDrop: [0-9.]+", "maxDrop: 0.5", text))
    assert main(["validate", "-f", str(path)]) == 0
    told = capsys.readouterr().err
    assert "warning" not in told
    assert "spec.objective.subjectTo general maxDrop 0.5: tells 0.18 apart" in told
    path.write_text(re.sub(r"maxDrop: [0-9.]+", "maxDrop: 0.01", text))
    assert main(["validate", "-f", str(path)]) == 0
    errors = capsys.readouterr().err
    line = next(number for number, row in enumerate(text.splitlines(), 1) if "subjectTo" in row)
    assert f"warning: {path}:{line}: spec.objective.subjectTo.maxDrop: general maxDrop 0.01" in errors


def test_the_demo_study_can_run_here() -> None:
    documents = yaml.safe_load((EXAMPLES / "study/study.yaml").read_text())
    shares, seeds = documents["spec"]["axes"]["inDomainShare"], documents["spec"]["axes"]["seeds"]
    assert (len(shares), len(seeds)) == (5, 2)
