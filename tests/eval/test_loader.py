"""How rubrics are read, and the faults that are found in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.eval.conftest import ONE_QUESTION

from blendtune_api.v1alpha1 import (
    Role,
)
from blendtune_eval.rubric import Fact, Number, Rubric
from blendtune_eval.rubrics.entries import InvalidRubric
from blendtune_eval.rubrics.loader import load_file, parse


def test_reads_a_rubric() -> None:
    rubric = parse(ONE_QUESTION, "r.yaml")
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
        parse(ONE_QUESTION.replace(old, new), "r.yaml")
    assert any(fault.line == line and words in fault.message for fault in caught.value.faults), str(
        caught.value
    )
    assert f"r.yaml:{line}: " in str(caught.value)


def test_names_all_faults_at_once() -> None:
    text = (
        ONE_QUESTION.replace("version: 1.0\n", "")
        .replace("domain: general", "domain: x")
        .replace("kind: Fact", "kind: y")
    )
    with pytest.raises(InvalidRubric) as caught:
        parse(text, "r.yaml")
    assert len(caught.value.faults) == 3


def test_an_id_may_occur_once() -> None:
    again = (
        ONE_QUESTION[ONE_QUESTION.index("- id:") :]
        .replace("What is the", "Which city is the")
        .replace("Name", "Say")
    )
    with pytest.raises(InvalidRubric, match="the id is taken by line 7"):
        parse(ONE_QUESTION + again, "r.yaml")


@pytest.mark.parametrize("text", ["", "[]", "just text", "- a\n- b", "questions: {}", "\t:", "a: &x [*x]"])
def test_other_documents_are_refused(text: str) -> None:
    with pytest.raises(InvalidRubric):
        parse(text, "r.yaml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRubric, match="cannot be read"):
        load_file(tmp_path / "none.yaml")


def test_a_config_map_is_read_through(tmp_path: Path) -> None:
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"rubric.yaml": ONE_QUESTION}}
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(config_map, default_style="|"))
    assert load_file(tmp_path / "map.yaml") == parse(ONE_QUESTION, "r.yaml")


def test_lines_within_a_config_map_are_those_of_the_file() -> None:
    inner = ONE_QUESTION.replace("domain: general", "domain: x").replace("\n", "\n    ")
    text = f"apiVersion: v1\nkind: ConfigMap\ndata:\n  rubric.yaml: |\n    {inner}"
    with pytest.raises(InvalidRubric) as caught:
        parse(text, "map.yaml")
    assert {fault.line for fault in caught.value.faults} == {11}


def test_text_stays_as_it_is_written() -> None:
    """Plain YAML would read No as a boolean and 1.10 as a float."""
    text = ONE_QUESTION.replace("anyOf: [Paris]", "anyOf: [Paris, No, 1.10]").replace(
        "version: 1.0", "version: 1.10"
    )
    rubric = parse(text, "r.yaml")
    assert rubric.version == "1.10"
    assert rubric.questions[0].criteria[0] == Fact(
        name="says-paris", any_of=("Paris", "No", "1.10"), required=True
    )


def test_digest_follows_the_content() -> None:
    assert parse(ONE_QUESTION, "a").digest == parse("# a comment\n" + ONE_QUESTION, "b").digest
    assert (
        parse(ONE_QUESTION, "a").digest
        != parse(ONE_QUESTION.replace("[Paris]", "[Paris, Paname]"), "a").digest
    )


def test_json_names_the_kinds(rubric: Rubric) -> None:
    document = json.loads(json.dumps(rubric.as_json()))
    kinds = {criterion["kind"] for question in document["questions"] for criterion in question["criteria"]}
    assert kinds == {"Fact", "Number", "Forbidden", "Abstention"}


def test_number_fields() -> None:
    entry = (
        "{name: n, kind: Number, value: 5, unit: days, unitAliases: [d], otherValues: [7, 1.5], "
        "tolerance: 0.5}"
    )
    text = ONE_QUESTION.replace("It is Paris.", "5 days in Paris").replace(
        "required: true}", f"required: true}}\n  - {entry}"
    )
    assert parse(text, "r.yaml").questions[0].criteria[1] == Number(
        name="n", value=5, unit="days", unit_aliases=("d",), other_values=(7, 1.5), tolerance=0.5
    )


PLAN = "{name: n, kind: Number, value: 5, unit: days, subject: the new plan, subjectAliases: [premium]}"


def with_number(entry: str) -> str:
    return ONE_QUESTION.replace("It is Paris.", "The new plan takes 5 days in Paris").replace(
        "required: true}", f"required: true}}\n  - {entry}"
    )


def test_a_number_may_belong_to_a_subject() -> None:
    criterion = parse(with_number(PLAN), "r.yaml").questions[0].criteria[1]
    assert criterion == Number(
        name="n", value=5, unit="days", subject="the new plan", subject_aliases=("premium",)
    )


def test_a_subject_is_part_of_the_digest_where_there_is_one() -> None:
    bare = parse(
        with_number(PLAN.replace(", subject: the new plan, subjectAliases: [premium]", "")), "r.yaml"
    )
    assert parse(with_number(PLAN), "r.yaml").digest != bare.digest
    assert "subject" not in json.dumps(bare.as_json())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param("the new plan", "the", "the subject 'the' has no word to look for", id="article"),
        pytest.param("the new plan", '"!?"', "the subject '!?' has no word to look for", id="no-word"),
        pytest.param("the new plan", '""', "subject must be text", id="empty"),
        pytest.param("[premium]", "[the]", "the subject 'the' has no word to look for", id="alias"),
        pytest.param("[premium]", "premium", "subjectAliases must be a list", id="alias-no-list"),
        pytest.param("subject: the new plan, ", "", "there is no subject", id="aliases-alone"),
        pytest.param("subject: the new plan", "subjects: plan", "unknown field subjects", id="unknown"),
        pytest.param("the new plan", "the old plan", "does not satisfy its own criteria", id="of-another"),
    ],
)
def test_faults_of_a_subject(old: str, new: str, words: str) -> None:
    with pytest.raises(InvalidRubric) as caught:
        parse(with_number(PLAN.replace(old, new)), "r.yaml")
    assert words in str(caught.value)
    assert "r.yaml:15: " in str(caught.value) or "its own criteria" in words


def test_a_tag_makes_no_object(tmp_path: Path) -> None:
    tagged = f'!!python/object/apply:os.mkdir ["{tmp_path / "touched"}"]'
    with pytest.raises(InvalidRubric, match=r"description"):
        parse(ONE_QUESTION.replace("One question.", tagged), "r.yaml")
    assert not (tmp_path / "touched").exists()
