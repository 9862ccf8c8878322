"""Reads the criteria of a rubric's questions, each by its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from blendtune_api.v1alpha1 import DNS_LABEL
from blendtune_documents.yaml_lines import Node
from blendtune_eval.rubric import Abstention, Alternatives, Criterion, CriterionKind, Fact, Forbidden, Number
from blendtune_eval.rubrics.entries import Entry, FaultList
from blendtune_eval.rules.claims import GAP, phrase_parts
from blendtune_eval.rules.ownership import phrase_of
from blendtune_eval.rules.text import content


def read_criterion(faults: FaultList, node: Node, where: str) -> Criterion | None:
    """None, and a fault, where the kind is missing or unknown. `where` names the criterion in its faults."""
    entry = Entry(faults, node, where)
    name = entry.text("name", pattern=DNS_LABEL)
    kind = entry.text("kind")
    if kind not in _CRITERIA:
        if kind:
            entry.fault(f"kind must be one of {', '.join(CriterionKind)}, not {kind!r}")
        return None
    criterion = _CRITERIA[CriterionKind(kind)](entry, name)
    if isinstance(criterion, Forbidden) and criterion.points > 0:
        entry.fault(f"points of a Forbidden criterion must be 0 or less, not {criterion.points:g}")
    if not isinstance(criterion, Forbidden) and criterion.points < 0:
        entry.fault(f"points of a {kind} criterion must be 0 or more, not {criterion.points:g}")
    entry.done()
    return criterion


def _fact(entry: Entry, name: str) -> Fact:
    return Fact(
        name=name,
        any_of=_aliases(entry),
        points=entry.number("points", 1.0),
        required=entry.boolean("required"),
    )


def _number(entry: Entry, name: str) -> Number:
    tolerance = entry.number("tolerance", 0.0)
    if tolerance < 0:
        entry.fault(f"tolerance must be 0 or more, not {tolerance:g}")
    subject, aliases = entry.text("subject", default=""), entry.texts("subjectAliases")
    if aliases and not subject:
        entry.fault("subjectAliases are other names of a subject, and there is no subject")
    for each in (subject, *aliases):
        if each and not phrase_of(each):
            entry.fault(f"the subject {each!r} has no word to look for")
    return Number(
        name=name,
        value=entry.number("value"),
        tolerance=tolerance,
        unit=entry.text("unit", default=""),
        unit_aliases=entry.texts("unitAliases"),
        subject=subject,
        subject_aliases=aliases,
        other_values=entry.numbers("otherValues"),
        points=entry.number("points", 1.0),
        required=entry.boolean("required"),
    )


def _forbidden(entry: Entry, name: str) -> Forbidden:
    return Forbidden(
        name=name,
        any_of=_aliases(entry),
        points=entry.number("points", -1.0),
        critical=entry.boolean("critical"),
    )


def _abstention(entry: Entry, name: str) -> Abstention:
    return Abstention(
        name=name,
        any_of=_aliases(entry, required=False),
        points=entry.number("points", 1.0),
        required=entry.boolean("required"),
    )


def _alternatives(entry: Entry, name: str) -> Alternatives:
    return Alternatives(
        name=name,
        any_of=tuple(
            each for part in entry.entries("anyOf") if (each := _alternative(part, name)) is not None
        ),
        points=entry.number("points", 1.0),
        required=entry.boolean("required"),
    )


def _alternative(part: Entry, name: str) -> Fact | Number | None:
    """One of several: a Fact or a Number without name, points and required, which are those of all."""
    kind = part.text("kind")
    for field in ("name", "points", "required"):
        if field in part.fields:
            part.fault(f"{field} belongs to the criterion {name}, not to one of its alternatives")
    if kind == CriterionKind.FACT:
        criterion: Fact | Number = _fact(part, name)
    elif kind == CriterionKind.NUMBER:
        criterion = _number(part, name)
    else:
        part.fault(f"an alternative must be a Fact or a Number, not {kind!r}")
        return None
    part.done()
    return criterion


_CRITERIA: Mapping[CriterionKind, Callable[[Entry, str], Criterion]] = {
    CriterionKind.FACT: _fact,
    CriterionKind.NUMBER: _number,
    CriterionKind.FORBIDDEN: _forbidden,
    CriterionKind.ABSTENTION: _abstention,
    CriterionKind.ALTERNATIVES: _alternatives,
}


def _aliases(entry: Entry, *, required: bool = True) -> tuple[str, ...]:
    aliases = entry.texts("anyOf", required=required)
    for alias in aliases:
        if not content(alias):
            entry.fault(f"the alias {alias!r} has no word to look for")
        elif not all(phrase_parts(alias)):
            entry.fault(f"the alias {alias!r} needs words on both sides of {GAP!r}")
    return aliases
