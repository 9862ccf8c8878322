"""`blendtune compare`: several evaluations of the same questions, in the terminal or as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from blendtune_core.comparable import cautions, obstacles
from blendtune_core.comparison import MOST_RUNS, Comparison, compare
from blendtune_operator.cli.compare_page import compare_page
from blendtune_operator.cli.compare_tables import Runs, TextTable, tables
from blendtune_operator.cli.manifest import ManifestError
from blendtune_operator.cli.reports import find_reports, labels, read_reports

_UNBROKEN = frozenset({"run", "score", "less A", "less base", "n", "loss", "rise", "share", "target"})


def compare_reports(
    places: Sequence[Path], page: Path | None, console: Console, *, common: bool = False
) -> None:
    """Prints the comparison, and writes it as a page where one is asked for.

    Raises ManifestError for what is no report, for too few or too many, and for what is not comparable.
    """
    if page is not None and page.suffix not in (".html", ".htm"):
        raise ManifestError([f"-o {page}: the page is HTML, name a file that ends in .html"])
    files = find_reports(places)
    if not 2 <= len(files) <= MOST_RUNS:
        raise ManifestError([f"name from 2 to {MOST_RUNS} reports to compare: {len(files)} found"])
    reports = read_reports(files)
    runs = Runs(labels=labels(files, reports), reports=reports)
    if faults := obstacles(runs.labels, reports, common=common):
        raise ManifestError(faults)
    comparison = compare(reports)
    notes = (*_left_out(runs, comparison), *cautions(runs.labels, reports))
    for table in tables(runs, comparison):
        _print(table, console)
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False, soft_wrap=True)
    if page is not None:
        page.write_text(compare_page(runs, comparison, notes), encoding="utf-8")
        console.print(f"page: {page}", highlight=False, markup=False, soft_wrap=True)


def _left_out(runs: Runs, comparison: Comparison) -> tuple[str, ...]:
    if not any(comparison.left_out):
        return ()
    counts = (
        f"{count} of {label}" for label, count in zip(runs.labels, comparison.left_out, strict=True) if count
    )
    return (
        f"scores are over the {comparison.questions} questions that all were asked in the same words; "
        f"left out: {', '.join(counts)}",
    )


def _print(table: TextTable, console: Console) -> None:
    console.print(table.title, style="bold", highlight=False)
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column, head in enumerate(table.heads):
        widest = max((len(row[column]) for group in table.groups for row in group), default=0)
        numbers = head in _UNBROKEN or "interval" in head
        shown.add_column(
            head, overflow="fold", no_wrap=numbers, min_width=max(widest, len(head)) if numbers else None
        )
    for group in table.groups:
        for index, (name, *cells) in enumerate(group):
            shown.add_row(name if index == 0 or name != group[index - 1][0] else "", *cells)
        shown.add_section()
    console.print(shown, markup=False)
    console.print(f"{table.note}\n", style="dim", highlight=False, markup=False)
