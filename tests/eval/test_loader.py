"""Every fault of a rubric is named, with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from blendtune_api import codec
from blendtune_api.contract import (
    Env,
    ExitCode,
    Failure,
    GpuPreset,
    RubricResult,
    RunConfig,
    decode_message,
)
from blendtune_api.v1alpha1 import (
    Blend,
    BlendedFineTuneSpec,
    Budget,
    Evaluation,
    Model,
    Reason,
    Role,
    RubricReference,
    Source,
    Storage,
)
from blendtune_eval.__main__ import main
from blendtune_eval.rubric import Fact, Number, Rubric
from blendtune_eval.rubrics.entries import InvalidRubric
from blendtune_eval.rubrics.loader import builtin_names, load_builtin, load_file, parse
from blendtune_eval.scoring.score import Outcome

GOOD = """\
name: tiny
version: 1.0
description: One question.
categories:
- {name: world, title: World}
questions:
- id: capital
  category: world
  domain: general
  prompt: "What is the capital of France?"
  paraphrases: ["Name the French capital."]
  reference: "It is Paris."
  criteria:
  - {name: says-paris, kind: Fact, anyOf: [Paris], required: true}
"""


def test_reads_a_rubric() -> None:
    rubric = parse(GOOD, "r.yaml")
    (question,) = rubric.questions
    assert rubric.version == "1.0"
    assert question.domain is Role.GENERAL
    assert question.wordings == ("What is the capital of France?", "Name the French capital.")
    assert question.criteria == (Fact(name="says-paris", any_of=("Paris",), required=True),)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        pytest.param("version: 1.0\n", "", 1, "version is missing", id="missing-field"),
        pytest.param("name: tiny", "name: Tiny Rubric", 1, "lower-case", id="name-is-no-label"),
        pytest.param("  domain: general", "  domain: business", 7, "inDomain or general", id="domain"),
        pytest.param("  category: world", "  category: moon", 7, "'moon' is not declared", id="category"),
        pytest.param("  domain: general", "  domain: general\n  weight: 0", 7, "greater than 0", id="weight"),
        pytest.param(
            "  domain: general", "  domain: general\n  weight: much", 10, "a number", id="no-number"
        ),
        pytest.param(
            "  domain: general", "  domain: general\n  colour: red", 10, "unknown field colour", id="unknown"
        ),
        pytest.param(
            "  domain: general", "  domain: general\n  domain: general", 10, "twice", id="field-twice"
        ),
        pytest.param(
            '["Name the French capital."]',
            '["What is the capital of France"]',
            7,
            "occurs already",
            id="wording-twice",
        ),
        pytest.param("kind: Fact", "kind: Guess", 14, "must be one of Fact, Number", id="kind"),
        pytest.param("anyOf: [Paris]", "anyOf: []", 14, "at least one", id="no-alias"),
        pytest.param("anyOf: [Paris]", 'anyOf: ["..."]', 14, "no word to look for", id="alias-without-words"),
        pytest.param(
            "anyOf: [Paris]", 'anyOf: ["Paris ..."]', 14, "words on both sides", id="alias-ends-in-a-gap"
        ),
        pytest.param(
            "kind: Fact, anyOf: [Paris]",
            'kind: Abstention, anyOf: ["?"]',
            14,
            "no word to look for",
            id="abstention-without-words",
        ),
        pytest.param("required: true", "required: maybe", 14, "true or false", id="boolean"),
        pytest.param("required: true", "points: -1", 14, "must be 0 or more", id="negative-fact"),
        pytest.param("required: true", "points: 0", 7, "no criterion gives positive points", id="no-points"),
        pytest.param(
            '"It is Paris."',
            '"It is Lyon."',
            7,
            "does not satisfy its own criteria: says-paris",
            id="reference",
        ),
        pytest.param(
            "required: true}",
            "required: true}\n  - {name: no, kind: Forbidden, anyOf: [paris]}",
            7,
            "both asked for and forbidden",
            id="fact-forbidden",
        ),
        pytest.param(
            "required: true}",
            "required: true}\n  - {name: no, kind: Forbidden, anyOf: [Lyon], points: 1}",
            15,
            "must be 0 or less",
            id="positive-forbidden",
        ),
        pytest.param(
            "required: true}",
            "required: true}\n  - {name: says-paris, kind: Fact, anyOf: [is]}",
            7,
            "named 2 times",
            id="criterion-twice",
        ),
        pytest.param(
            "anyOf: [Paris]", "anyOf: [Paris, French capital]", 7, "only repeats", id="question-gives-it-away"
        ),
        pytest.param(
            "required: true}",
            "required: true}\n  - {name: n, kind: Number}",
            15,
            "value is missing",
            id="number-without-value",
        ),
        pytest.param(
            "required: true}",
            "required: true}\n  - {name: n, kind: Number, value: 1, tolerance: -1}",
            15,
            "tolerance must be",
            id="tolerance",
        ),
        pytest.param(
            "- {name: world, title: World}",
            "- {name: world}\n- {name: world}",
            1,
            "declared 2 times",
            id="category-twice",
        ),
        pytest.param("questions:", "questions: [", 7, "expected", id="not-yaml"),
    ],
)
def test_names_the_fault(old: str, new: str, line: int, words: str) -> None:
    with pytest.raises(InvalidRubric) as caught:
        parse(GOOD.replace(old, new), "r.yaml")
    assert any(fault.line == line and words in fault.message for fault in caught.value.faults), str(
        caught.value
    )
    assert f"r.yaml:{line}: " in str(caught.value)


def test_names_all_faults_at_once() -> None:
    text = (
        GOOD.replace("version: 1.0\n", "")
        .replace("domain: general", "domain: x")
        .replace("kind: Fact", "kind: y")
    )
    with pytest.raises(InvalidRubric) as caught:
        parse(text, "r.yaml")
    assert len(caught.value.faults) == 3


def test_an_id_may_occur_once() -> None:
    again = GOOD[GOOD.index("- id:") :].replace("What is the", "Which city is the").replace("Name", "Say")
    with pytest.raises(InvalidRubric, match="the id is taken by line 7"):
        parse(GOOD + again, "r.yaml")


@pytest.mark.parametrize("text", ["", "[]", "just text", "- a\n- b", "questions: {}", "\t:", "a: &x [*x]"])
def test_other_documents_are_refused(text: str) -> None:
    with pytest.raises(InvalidRubric):
        parse(text, "r.yaml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRubric, match="cannot be read"):
        load_file(tmp_path / "none.yaml")


def test_a_config_map_is_read_through(tmp_path: Path) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"rubric.yaml": GOOD}}
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(config_map, default_style="|"))
    assert load_file(tmp_path / "map.yaml") == parse(GOOD, "r.yaml")


def test_lines_within_a_config_map_are_those_of_the_file() -> None:
    inner = GOOD.replace("domain: general", "domain: x").replace("\n", "\n    ")
    text = f"apiVersion: v1\nkind: ConfigMap\ndata:\n  rubric.yaml: |\n    {inner}"
    with pytest.raises(InvalidRubric) as caught:
        parse(text, "map.yaml")
    assert {fault.line for fault in caught.value.faults} == {11}


def test_text_stays_as_it_is_written() -> None:
    """YAML would make a boolean of No, and a float of 1.10."""
    text = GOOD.replace("anyOf: [Paris]", "anyOf: [Paris, No, 1.10]").replace("version: 1.0", "version: 1.10")
    rubric = parse(text, "r.yaml")
    assert rubric.version == "1.10"
    assert rubric.questions[0].criteria[0] == Fact(
        name="says-paris", any_of=("Paris", "No", "1.10"), required=True
    )


def test_digest_follows_the_content() -> None:
    assert parse(GOOD, "a").digest == parse("# a comment\n" + GOOD, "b").digest
    assert parse(GOOD, "a").digest != parse(GOOD.replace("[Paris]", "[Paris, Paname]"), "a").digest


def test_json_names_the_kinds(rubric: Rubric) -> None:
    document = json.loads(json.dumps(rubric.as_json()))
    kinds = {criterion["kind"] for question in document["questions"] for criterion in question["criteria"]}
    assert kinds == {"Fact", "Number", "Forbidden", "Abstention"}


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_rubrics_are_sound(name: str) -> None:
    rubric = load_builtin(name)
    assert rubric.name == name
    assert {question.domain for question in rubric.questions} == set(Role)


OWN = """\
name: own
version: 1.0
generalFrom: business45
categories:
- {name: shop, title: Shop}
questions:
- id: window
  category: shop
  domain: inDomain
  prompt: "In how many days may a kettle come back?"
  reference: "In 30 days."
  criteria:
  - {name: days, kind: Number, value: 30, unit: days, required: true}
"""


def test_the_general_half_of_a_builtin_rubric_can_be_taken_over() -> None:
    own, source = parse(OWN, "r.yaml"), load_builtin("business45")
    general = tuple(question for question in source.questions if question.domain is Role.GENERAL)
    assert own.questions[:-1] == general
    assert own.questions[-1].id == "window"
    assert [category.name for category in own.categories] == [
        "world-knowledge", "language-and-instructions", "arithmetic-and-logic", "safety-and-honesty", "shop",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "business45", "business46", "generalFrom: no built-in rubric of this name", id="unknown"
        ),
        pytest.param("id: window", "id: general-loaves", "taken by rubric business45", id="id-taken"),
        pytest.param(
            "In how many days may a kettle come back?",
            "Which chemical element has the symbol W?",
            "occurs already in question general-symbol-w",
            id="wording-taken",
        ),
        pytest.param("name: shop, ", "name: world-knowledge, ", "is declared 2 times", id="category-taken"),
    ],
)
def test_what_is_taken_over_is_not_repeated(old: str, new: str, message: str) -> None:
    with pytest.raises(InvalidRubric, match=message):
        parse(OWN.replace(old, new), "r.yaml")


def test_business45_is_what_it_says() -> None:
    rubric = load_builtin("business45")
    assert len(rubric.questions) == 45
    assert len(rubric.categories) == 8
    assert all(len(question.paraphrases) == 2 for question in rubric.questions)


def test_unknown_builtin() -> None:
    with pytest.raises(InvalidRubric, match="there are: business45"):
        load_builtin("business46")


def run_environment(tmp_path: Path, rubric: str) -> dict[str, str]:
    source = Source(name="rows", role=Role.GENERAL, uri="pvc://data/rows.jsonl", weight=1)
    spec = BlendedFineTuneSpec(
        model=Model(uri="pvc://data/model"),
        blend=Blend(sources=(source,), budget=Budget(epochs=1)),
        storage=Storage(persistent_volume_claim="work"),
        evaluation=Evaluation(rubric=RubricReference(builtin="business45")),
    )
    config = RunConfig(uid="u", namespace="ns", name="run", spec=spec, gpu=GpuPreset(name="cpu"))
    (tmp_path / "config.json").write_text(json.dumps(codec.encode(config)))
    (tmp_path / "rubric.yaml").write_text(rubric)
    return {
        Env.CONFIG: str(tmp_path / "config.json"),
        Env.CLAIMS: str(tmp_path / "claims"),
        Env.TERMINATION_LOG: str(tmp_path / "message"),
    } | ({Env.RUBRIC: str(tmp_path / "rubric.yaml")} if rubric else {})


@pytest.mark.parametrize(
    ("rubric", "name", "questions"),
    [pytest.param(GOOD, "tiny", 1, id="own"), pytest.param("", "business45", 45, id="builtin")],
)
def test_check_leaves_the_rubric_in_the_workspace(
    rubric: str, name: str, questions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in run_environment(tmp_path, rubric).items():
        monkeypatch.setenv(key, value)
    assert main(["check-rubric"]) == 0
    result = decode_message((tmp_path / "message").read_text())
    assert isinstance(result, RubricResult)
    kept = json.loads((tmp_path / "claims" / "work" / "ns" / "run" / "rubric.json").read_text())
    assert (kept["name"], kept["digest"], len(kept["questions"])) == (name, result.digest, questions)
    assert {"id", "domain", "prompt", "paraphrases"} <= kept["questions"][0].keys()


def test_check_of_a_bad_rubric(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in run_environment(tmp_path, GOOD.replace("kind: Fact", "kind: Fat")).items():
        monkeypatch.setenv(key, value)
    assert main(["check-rubric"]) == ExitCode.BAD_RUBRIC
    failure = decode_message((tmp_path / "message").read_text())
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.BAD_RUBRIC
    assert "rubric.yaml:14: question capital: criteria[0]" in failure.message
    assert not (tmp_path / "claims").exists()


def test_check_outside_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(GOOD)
    assert main(["check-rubric", "--file", str(file)]) == 0
    assert "1 questions in 1 categories" in capsys.readouterr().out
    assert main(["preview", str(file), "--question", "capital", "--answer", "It is not Paris."]) == 0
    out = capsys.readouterr().out
    assert "not met  says-paris: denies “Paris”" in out
    assert f"score 0.00, {Outcome.WRONG}" in out
    assert main(["check-rubric", "--builtin", "nothing"]) == ExitCode.BAD_RUBRIC


def test_number_fields() -> None:
    entry = (
        "{name: n, kind: Number, value: 5, unit: days, unitAliases: [d], otherValues: [7, 1.5], "
        "tolerance: 0.5}"
    )
    text = GOOD.replace("It is Paris.", "5 days in Paris").replace(
        "required: true}", f"required: true}}\n  - {entry}"
    )
    assert parse(text, "r.yaml").questions[0].criteria[1] == Number(
        name="n", value=5, unit="days", unit_aliases=("d",), other_values=(7, 1.5), tolerance=0.5
    )


def test_a_tag_makes_no_object(tmp_path: Path) -> None:
    tagged = f'!!python/object/apply:os.mkdir ["{tmp_path / "touched"}"]'
    with pytest.raises(InvalidRubric, match=r"description"):
        parse(GOOD.replace("One question.", tagged), "r.yaml")
    assert not (tmp_path / "touched").exists()
