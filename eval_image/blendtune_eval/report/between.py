"""The models between base and tuned one: a curve over both domains, and what taking one of them gave up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from blendtune_api.v1alpha1 import Candidate, CandidateScope, InterpolationStatus
from blendtune_core.interpolation import TUNED, told_choice
from blendtune_documents.plane import Dot, Note, Plane, Segment
from blendtune_eval.report.model import Report
from blendtune_eval.report.words import score, signed, title


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownCandidate:
    """One row. Numbers are as they are shown."""

    name: str
    taken: bool
    in_domain: str
    general: str
    change: str  # of the general score
    interval: str
    rise: str
    gates: str
    not_passed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Between:
    told: str
    plane: Plane | None
    rows: tuple[ShownCandidate, ...]


def between(report: Report) -> Between | None:
    """None where there was nothing to choose from."""
    chosen = report.scores.interpolation
    if chosen is None:
        return None
    return Between(
        told=told_choice(chosen),
        plane=_curve(report, chosen),
        rows=tuple(_row(each, chosen) for each in chosen.candidates),
    )


def _curve(report: Report, chosen: InterpolationStatus) -> Plane | None:
    """From the base model over the candidates to the tuned one; None where the base model has no score."""
    across, up = report.scores.in_domain, report.scores.general
    if across.baseline_score is None or up.baseline_score is None:
        return None
    base = across.baseline_score, up.baseline_score
    placed = [
        (each, (each.in_domain.score, each.general.score))
        for each in chosen.candidates
        if each.in_domain is not None and each.general is not None
    ]
    return Plane(
        label="; ".join(_in_words(each) for each, _ in placed),
        across=title(across.name),
        up=title(up.name),
        segments=tuple(
            Segment("way", *one, *other) for one, other in pairwise([base, *(at for _, at in placed)])
        ),
        dots=(Dot("base", *base, 6), *(_dot(each, at, chosen) for each, at in placed)),
        notes=tuple(Note(*at, _name(each)) for each, at in placed),
    )


def _dot(candidate: Candidate, at: tuple[float, float], chosen: InterpolationStatus) -> Dot:
    kind, radius = ("tuned", 7) if candidate.weight == chosen.weight else ("line-0", 5)
    return Dot(kind, *at, radius, _in_words(candidate))


def _in_words(candidate: Candidate) -> str:
    return ", ".join([f"weight {candidate.weight:g}", *_scores(candidate), f"gates {candidate.gates}"])


def _scores(candidate: Candidate) -> Iterator[str]:
    for name, scope in (("inDomain", candidate.in_domain), ("general", candidate.general)):
        if scope is not None:
            yield f"{title(name).lower()} {score(scope.score)}"


def _name(candidate: Candidate) -> str:
    return "as tuned" if candidate.weight == TUNED else f"{candidate.weight:g}"


def _row(candidate: Candidate, chosen: InterpolationStatus) -> ShownCandidate:
    general = candidate.general
    return ShownCandidate(
        name=_name(candidate),
        taken=candidate.weight == chosen.weight,
        in_domain=_score(candidate.in_domain),
        general=_score(general),
        change=signed(general.delta if general else None),
        interval=_interval(general),
        rise=signed(candidate.rise, 3),
        gates=candidate.gates,
        not_passed=candidate.not_passed,
    )


def _score(scope: CandidateScope | None) -> str:
    return score(scope.score if scope else None)


def _interval(scope: CandidateScope | None) -> str:
    if scope is None or scope.low is None or scope.high is None:
        return "–"
    return f"{signed(scope.low)} to {signed(scope.high)}"
