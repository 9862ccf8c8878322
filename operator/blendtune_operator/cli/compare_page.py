"""A comparison of runs as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterator

from blendtune_core.comparison import ComparedScope, Comparison
from blendtune_documents.pages import render
from blendtune_documents.plane import Dot, Note, Plane, Segment
from blendtune_operator.cli.compare_tables import NONE, Runs, TextTable, tables

_RADIUS = 6  # of a dot, pixels


def compare_page(runs: Runs, comparison: Comparison, notes: tuple[str, ...]) -> str:
    """The whole page. It loads nothing from elsewhere."""
    values = {
        "title": " and ".join(runs.labels) if len(runs.labels) == 2 else f"{len(runs.labels)} runs",
        "tables": list(tables(runs, comparison)),
        "questions": _questions(runs, comparison),
        "plot": _plane(runs, comparison),
        "notes": notes,
    }
    return render("compare", values)


def _questions(runs: Runs, comparison: Comparison) -> TextTable:
    """The questions whose scores differ between two runs."""
    rows = tuple(
        (
            question.prompt,
            str(question.domain),
            *(NONE if score is None else f"{score:.2f}" for score in question.scores),
        )
        for question in comparison.differing
    )
    return TextTable(
        title="Questions that the runs answer differently",
        note=f"{len(rows)} of {comparison.questions}, the largest difference first. Each run's report has "
        "the answers.",
        heads=("question", "domain", *runs.letters),
        groups=(rows,) if rows else (),
    )


def _plane(runs: Runs, comparison: Comparison) -> Plane | None:
    """In-domain across, general upwards; None where a run has no score in one of them."""
    scopes = {scope.name: scope for scope in comparison.headline}
    across, up = scopes["inDomain"], scopes["general"]
    if any(score.score is None for scope in (across, up) for score in scope.scores):
        return None
    segments, dots, notes = [], [], []
    for index, (letter, label) in enumerate(zip(runs.letters, runs.labels, strict=True)):
        x, left, right = _ends(across, index)
        y, bottom, top = _ends(up, index)
        segments += [Segment("interval", left, y, right, y), Segment("interval", x, bottom, x, top)]
        dots.append(Dot("mean", x, y, _RADIUS, f"{label}: in-domain {x:.2f}, general {y:.2f}"))
        notes.append(Note(x, y, letter))
    told = ", ".join(f"{note.text} {note.x:.2f} and {note.y:.2f}" for note in notes)
    return Plane(
        label=f"in-domain and general score of each run: {told}",
        across="in-domain",
        up="general",
        segments=tuple(segments),
        dots=(*_base(runs, across, up), *dots),
        notes=tuple(notes),
    )


def _base(runs: Runs, across: ComparedScope, up: ComparedScope) -> Iterator[Dot]:
    x, y = across.scores[0].baseline_score, up.scores[0].baseline_score
    if runs.share_a_base and x is not None and y is not None:
        yield Dot("base", x, y, _RADIUS - 1, f"base model: in-domain {x:.2f}, general {y:.2f}")


def _ends(scope: ComparedScope, run: int) -> tuple[float, float, float]:
    score = scope.scores[run]
    assert score.score is not None and score.low is not None and score.high is not None
    return score.score, score.low, score.high
