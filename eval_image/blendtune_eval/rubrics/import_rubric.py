"""Imports MT-Bench-like and lm-eval-style JSONL as a rubric: the questions whose answers rules can decide."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from blendtune_api.v1alpha1 import MAX_CATEGORIES, Role
from blendtune_eval.rubrics.entries import InvalidRubric
from blendtune_eval.rubrics.loader import parse

_LONGEST_ANSWER = 3  # words; a longer answer has other wordings, which the rules would miss
_NUMBER = re.compile(r"(?P<sign>[$€£]?)(?P<value>-?\d[\d,]*(\.\d+)?)\s*(?P<unit>%|[A-Za-z°]*)\.?")
_SIGNS = {"$": "dollars", "€": "euros", "£": "pounds", "%": "percent"}
_FINAL = "####"  # before the final answer of worked solutions, as in GSM8K


class NotMapped(ValueError):
    """Why a row does not become a question."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The rubric as YAML, empty where no row maps; and the rows that were left out, by line and reason."""

    text: str
    left_out: tuple[tuple[int, str], ...]
    questions: int


def import_rows(lines: list[str], name: str, domain: Role) -> Imported:
    """A rubric of the rows. One whose question the rubric's check refuses is left out, with the reason."""
    kept: list[dict[str, Any]] = []
    left_out: list[tuple[int, str]] = []
    wordings: set[str] = set()
    categories: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            question = _question(line, f"{name}-{number}", name, domain)
            if question["prompt"].lower() in wordings:
                raise NotMapped("the same question stands in an earlier line")
            if question["category"] not in categories and len(categories) == MAX_CATEGORIES:
                raise NotMapped(f"a rubric has at most {MAX_CATEGORIES} categories")
            parse(_dumped(name, [question]), name)
        except InvalidRubric as error:
            left_out.append((number, error.faults[0].message))
        except NotMapped as error:
            left_out.append((number, str(error)))
        else:
            kept.append(question)
            wordings.add(question["prompt"].lower())
            categories[question["category"]] = None
    return Imported(_dumped(name, kept) if kept else "", tuple(left_out), len(kept))


def _dumped(name: str, questions: list[dict[str, Any]]) -> str:
    categories = dict.fromkeys(question["category"] for question in questions)
    document = {
        "name": name,
        "version": "1",
        "categories": [{"name": category} for category in categories],
        "questions": questions,
    }
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    return text


def _question(line: str, identifier: str, name: str, domain: Role) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise NotMapped(f"is no JSON: {error}") from error
    if not isinstance(row, Mapping):
        raise NotMapped("is no JSON object")
    prompt, reference = _mt_bench(row) if "turns" in row else _lm_eval(row)
    answer = reference.rpartition(_FINAL)[2].strip()
    return {
        "id": identifier,
        "category": slug(str(row.get("category", ""))) or name,
        "domain": domain.value,
        "prompt": prompt,
        "reference": answer,
        "criteria": [_criterion(answer)],
    }


def _mt_bench(row: Mapping[str, Any]) -> tuple[str, str]:
    turns, references = list(_texts(row["turns"])), list(_texts(row.get("reference")))
    if len(turns) != 1:
        raise NotMapped(f"has {len(turns)} turns: a rubric asks one")
    if not references:
        raise NotMapped("has no reference answer")
    return turns[0], references[0]


def _lm_eval(row: Mapping[str, Any]) -> tuple[str, str]:
    """A row of a data set, or a sample that lm-evaluation-harness logged, whose `doc` is such a row."""
    doc = row["doc"] if isinstance(row.get("doc"), Mapping) else row
    if doc.get("choices"):
        raise NotMapped("offers choices: a rubric asks openly")
    prompts = list(_texts(doc.get("question") or doc.get("prompt")))
    answers = list(_texts(row["target"])) if "target" in row else []
    answers = answers or list(_texts(doc.get("answer")))
    if len(prompts) != 1 or len(answers) != 1:
        raise NotMapped("needs one question (or prompt) and one answer (or target), both text")
    return prompts[0], answers[0]


def _texts(value: object) -> Iterator[str]:
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and each.strip():
            yield each.strip()
        elif isinstance(each, int | float) and not isinstance(each, bool):
            yield f"{each}"


def _criterion(answer: str) -> dict[str, Any]:
    """A criterion for a number or a short answer. Raises NotMapped for a longer one."""
    if number := _NUMBER.fullmatch(answer):
        sign = number["sign"] or number["unit"]
        unit = _SIGNS.get(sign, sign)
        value = float(number["value"].replace(",", ""))
        return {"name": "answer", "kind": "Number", "value": value, "required": True} | (
            {"unit": unit} if unit else {}
        )
    if len(answer.split()) > _LONGEST_ANSWER:
        raise NotMapped(f"the answer has more than {_LONGEST_ANSWER} words: write its criteria by hand")
    return {"name": "answer", "kind": "Fact", "anyOf": [answer.rstrip(".")], "required": True}


def slug(text: str) -> str:
    """A DNS label made of the text's letters and digits; empty where it has none."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-")
