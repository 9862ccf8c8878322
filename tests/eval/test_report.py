"""The report of an evaluation: its page, and the file that the page is made from."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.eval.conftest import GATES, Pod, report_of, workspace_folder

from blendtune_api import codec
from blendtune_api.contract import (
    BlendResult,
    Env,
    ExitCode,
    ReadReport,
    TrainResult,
    encode_message,
)
from blendtune_api.v1alpha1 import (
    BlendedSource,
    EpochDivergence,
    EpochLoss,
    Role,
    RoleDivergence,
    SourceLoss,
    Storage,
)
from blendtune_core.comparison import compare
from blendtune_eval.__main__ import main
from blendtune_eval.evaluate import evaluate
from blendtune_eval.report.files import read_report
from blendtune_eval.rubric import Rubric

pytestmark = pytest.mark.usefixtures("one_thread")


class Outline(HTMLParser):
    """Checks that tags are closed in order, and collects what a browser would fetch."""

    VOID = frozenset({"meta", "br", "hr", "img", "input", "link", "line", "rect", "polyline", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [
            value or "" for name, value in attrs if name in ("src", "href", "srcset", "xlink:href")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()


def outline(path: Path) -> Outline:
    parsed = Outline()
    parsed.feed(path.read_text())
    parsed.close()
    return parsed


def test_report_is_one_whole_page(pod: Pod) -> None:
    environment = pod(gates=GATES)
    evaluate(environment)
    path = workspace_folder(environment) / "eval" / "report.html"
    page = outline(path)
    assert page.open == []
    assert {link[0] for link in page.fetched} == {"#"}  # the skip links, within the page
    assert path.read_text().count('<details class="asked"') == 4
    assert page.tags.count("script") == 1
    assert page.tags.count("input") == 1
    assert not re.search(r"https?://|url\(|@import", path.read_text())


def test_markup_in_a_rubric_stays_text(pod: Pod) -> None:
    environment = pod(compared=False)
    rubric = Path(environment[Env.RUBRIC])
    markup = "<script>alert(1)</script>"
    rubric.write_text(rubric.read_text().replace("The shop", markup).replace("goods back", f"goods {markup}"))
    evaluate(environment)
    path = workspace_folder(environment) / "eval" / "report.html"
    assert path.read_text().count("&lt;script&gt;") >= 2
    assert outline(path).tags.count("script") == 1  # the page's own, which searches


def test_the_page_is_rebuilt_from_the_report(pod: Pod) -> None:
    environment = pod(gates=GATES)
    evaluate(environment)
    folder = workspace_folder(environment) / "eval"
    files = {name: (folder / name).read_text() for name in ("report.html", "answers.jsonl")}
    for name in files:
        (folder / name).unlink()
    assert main(["report", str(folder.parent)]) == ExitCode.SUCCESS
    assert {name: (folder / name).read_text() for name in files} == files


def test_the_report_is_read_as_it_was_written(pod: Pod) -> None:
    environment = pod(gates=GATES)
    result = evaluate(environment)
    report = read_report(workspace_folder(environment) / "eval")
    assert report.scores == result
    assert codec.encode(report) == report_of(environment)


def test_other_programs_read_their_part_of_the_report(pod: Pod) -> None:
    environment = pod(gates=GATES)
    result = evaluate(environment)
    read = codec.decode(ReadReport, report_of(environment), lenient=True)
    assert read.scores == result
    found = compare([read, read])
    assert [scope.scores[0].score for scope in found.headline] == [
        scope.score for scope in (result.overall, result.general, result.in_domain)
    ]
    assert [scope.scores[0].score for scope in found.categories] == [
        category.score for category in result.categories
    ]
    assert found.left_out == (0, 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "holds no report.json", id="none"),
        pytest.param("{", "is no JSON", id="cut"),
        pytest.param('{"formatVersion": 0}', "no report of format", id="of another version"),
        pytest.param('{"formatVersion": 3}', "identity: is required", id="of no content"),
    ],
)
def test_what_is_no_report_is_refused(
    content: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    assert main(["report", str(tmp_path)]) == ExitCode.BAD_CONFIGURATION
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("same_rubric", "contaminated"),
    [pytest.param(True, 1, id="searched"), pytest.param(False, 0, id="other")],
)
def test_report_shows_the_training(pod: Pod, rubric: Rubric, same_rubric: bool, contaminated: int) -> None:
    trained = Storage(persistent_volume_claim="work", path="runs/one")
    environment = pod(training=trained)
    run = Path(environment[Env.CLAIMS]) / "work" / "runs" / "one"
    (run / "blend").mkdir(parents=True)
    (run / "train").mkdir()
    source = BlendedSource(
        name="shop-rows",
        examples=10,
        tokens=1000,
        target_share=0.5,
        achieved_share=0.499,
        epochs=2.0,
        bad_rows=28,
    )
    blend = BlendResult(digest="d", config_digest="c", tokens=2000, steps=3, sources=(source,), parameters=1)
    losses = tuple(EpochLoss(epoch=epoch, loss=loss) for epoch, loss in enumerate((1.5, 1.1, 1.7), 1))
    train = TrainResult(
        config_digest="c",
        blend_digest="d",
        steps=3,
        tokens=2000,
        model_digest="m",
        validation_loss=(SourceLoss(name="shop-rows", before=4.0, after=1.7, epochs=losses),),
        divergence=(
            RoleDivergence(
                role=Role.GENERAL,
                positions=12_345,
                value=0.03125,
                epochs=(EpochDivergence(epoch=1, value=0.03125),),
            ),
        ),
        stopped_early="at step 3 of 9: it moved too far",
    )
    (run / "train" / "result.json").write_text(encode_message(train))
    (run / "blend" / "result.json").write_text(encode_message(blend))
    (run / "rubric.json").write_text(json.dumps({"digest": rubric.digest if same_rubric else "another"}))
    inputs = {
        "promptsMet": [{"question": "refund"}],
        "blend": {"sources": [{"name": "shop-rows", "role": "inDomain"}]},
    }
    (run / "blend" / "inputs.json").write_text(json.dumps(inputs))
    steps = [{"step": step, "loss": 3.0 / step} for step in (1, 2, 3, 2, 3)]
    (run / "train" / "steps.jsonl").write_text("\n".join(map(json.dumps, steps)) + '\n{"step": 4, "lo')
    result = evaluate(environment)
    assert result.contaminated == contaminated
    folder = workspace_folder(environment) / "eval"
    training = json.loads((folder / "report.json").read_text())["training"]
    assert [point[0] for point in training["loss"]] == [1, 2, 3]
    text = (folder / "report.html").read_text()
    assert "shop-rows" in text
    assert "28 bad rows left out" in text
    assert text.count("<polyline") == 3
    assert "12,345</td>" in text
    assert "0.0312</td>" in text
    assert "The training ended early at step 3 of 9: it moved too far." in text
    assert "Overtrained" in text
    assert text.index("grew after epoch 2: 1.100 then, 1.700 after epoch 3") < text.index("Headline scores")
    assert outline(folder / "report.html").open == []
    assert {"tuned", "base"} == {
        json.loads(line)["respondent"] for line in (folder / "answers.jsonl").read_text().splitlines()
    }
