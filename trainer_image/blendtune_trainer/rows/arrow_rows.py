"""The values of the rows in Parquet files, and in Arrow files as `datasets` saves them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from blendtune_trainer.rows.cells import without_nulls
from blendtune_trainer.rows.data_files import DataFile
from blendtune_trainer.rows.faults import SourceFaults
from blendtune_trainer.rows.file_kinds import FileKind
from blendtune_trainer.rows.values import Value

_BATCH_ROWS = 1024
# Of a time after the year 9999 or in an unknown zone. What Arrow finds damaged is a ValueError.
_UNHELD = (OverflowError, KeyError, ValueError)
_FILE_MAGIC = b"ARROW1"  # of Arrow's file format; datasets writes its stream format


def arrow_rows(stream: Any, file: DataFile, faults: SourceFaults) -> Iterator[Value]:
    """The rows of a Parquet or Arrow file, numbered from 1.

    Fields of nested objects that are null are left out: the formats have no other way to say that a row lacks
    them. Raises OSError if the file cannot be read, from a store or because it is damaged.
    """
    import pyarrow

    try:
        batches = _parquet_batches(stream) if file.kind is FileKind.PARQUET else _arrow_batches(stream, file)
        number = 0
        for batch, fraction in batches:
            twice = [name for name, count in Counter(batch.schema.names).items() if count > 1]
            if twice:
                faults.add(file.name, f"has two columns {twice[0]!r}: rename or remove one")
                return
            nested = [field.name for field in batch.schema if pyarrow.types.is_nested(field.type)]
            for row in _objects(batch):
                number += 1
                for name in nested:
                    row[name] = without_nulls(row[name])
                yield Value(
                    place=f"{file.name} row {number}",
                    value=row,
                    fraction_read=file.of_source(fraction(number)),
                )
    except (pyarrow.ArrowNotImplementedError, *_UNHELD) as error:
        faults.add(file.name, f"not a readable {file.kind} file: {error}")


def _objects(batch: Any) -> list[dict[str, Any]]:
    """The rows of a batch. Times that Python cannot hold, mostly in unused columns, are numbers."""
    try:
        return list(batch.to_pylist())
    except _UNHELD:
        columns = [_values(column) for column in batch.columns]
        return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: Any) -> list[Any]:
    try:
        return list(column.to_pylist())
    except _UNHELD:
        return list(column.cast(_without_times(column.type)).to_pylist())


def _without_times(kind: Any) -> Any:
    """The Arrow type with numbers for its dates, times and durations, at any depth."""
    import pyarrow
    from pyarrow import types

    if types.is_temporal(kind):
        return pyarrow.int32() if kind.bit_width == 32 else pyarrow.int64()
    if types.is_dictionary(kind):
        return _without_times(kind.value_type)
    if types.is_struct(kind):
        return pyarrow.struct([field.with_type(_without_times(field.type)) for field in kind])
    if types.is_map(kind):
        return pyarrow.map_(kind.key_type, _without_times(kind.item_type))
    if types.is_fixed_size_list(kind):
        return pyarrow.list_(_without_times(kind.value_type), kind.list_size)
    if types.is_list(kind):
        return pyarrow.list_(_without_times(kind.value_type))
    return pyarrow.large_list(_without_times(kind.value_type)) if types.is_large_list(kind) else kind


def _parquet_batches(stream: Any) -> Iterator[tuple[Any, Any]]:
    from pyarrow.parquet import ParquetFile

    parquet = ParquetFile(stream)
    total = parquet.metadata.num_rows
    for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
        yield batch, lambda number: number / max(number, total)


def _arrow_batches(stream: Any, file: DataFile) -> Iterator[tuple[Any, Any]]:
    import pyarrow

    magic = stream.read(len(_FILE_MAGIC))
    stream.seek(0)
    if magic == _FILE_MAGIC:
        reader = pyarrow.ipc.open_file(stream)
        batches = (reader.get_batch(index) for index in range(reader.num_record_batches))
    else:
        batches = iter(pyarrow.ipc.open_stream(stream))
    for batch in batches:
        read = stream.tell() / max(file.size, 1)
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            yield batch.slice(start, _BATCH_ROWS), lambda _, read=read: read
