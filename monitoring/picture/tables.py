"""The tables that Grafana makes of instant series by the transformations of a panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitoring.grafana import Json
from monitoring.picture.series import Series

Cell = str | float | None


@dataclass(frozen=True, slots=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def table_of(panel: Json, series: Sequence[Series]) -> Table:
    """Raises StopIteration for a panel that has neither transformation."""
    options = {each["id"]: each["options"] for each in panel["transformations"]}
    if "groupingToMatrix" in options:
        return _matrix(options["groupingToMatrix"], series)
    return _organized(options["organize"], _merged(series))


def _matrix(options: Json, series: Sequence[Series]) -> Table:
    row, column = options["rowField"], options["columnField"]
    cells = {(each.labels[row], each.labels[column]): each.last for each in series}
    columns = list(dict.fromkeys(each.labels[column] for each in series))
    rows = sorted({each.labels[row] for each in series})
    values = [[name, *(cells.get((name, other)) for other in columns)] for name in rows]
    return Table([f"{row}\\{column}", *columns], values)


def _merged(series: Sequence[Series]) -> Table:
    """One row for each set of labels: those that all queries have join their values."""
    labels = list(dict.fromkeys(name for each in series for name in sorted(each.labels)))
    letters = sorted({each.letter for each in series})
    shared = [name for name in labels if all(name in each.labels for each in series)]
    rows: dict[tuple[str, ...], dict[str, Cell]] = {}
    for each in series:
        row = rows.setdefault(tuple(each.labels[name] for name in shared), {})
        row.update(each.labels)
        row[f"Value #{each.letter}"] = each.last
    columns = [*labels, *(f"Value #{letter}" for letter in letters)]
    return Table(columns, [[rows[key].get(column) for column in columns] for key in sorted(rows)])


def _organized(options: Json, table: Table) -> Table:
    kept = [number for number, name in enumerate(table.columns) if not options["excludeByName"].get(name)]
    columns = [options["renameByName"].get(table.columns[number], table.columns[number]) for number in kept]
    return Table(columns, [[row[number] for number in kept] for row in table.rows])
