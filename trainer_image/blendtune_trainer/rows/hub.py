"""The values of the rows of a data set on the hub, streamed."""

from __future__ import annotations

from collections.abc import Iterator

from blendtune_runtime.errors import Transient
from blendtune_runtime.uris import HubRepository
from blendtune_trainer.rows.faults import Faults
from blendtune_trainer.rows.values import Value


def hub_rows(repository: HubRepository, field: str, faults: Faults) -> Iterator[Value]:
    """The rows of the train split of a data set on the hub, streamed."""
    import datasets

    try:
        rows = datasets.load_dataset(
            repository.name,
            revision=repository.revision,
            data_files=repository.path or None,
            split="train",
            streaming=True,
        )
        split = (rows.info.splits or {}).get("train") if not repository.path else None
        for number, row in enumerate(rows, start=1):
            read = number / split.num_examples if split and split.num_examples else None
            yield Value(place=f"{repository.name} row {number}", value=row, fraction_read=read)
    except (datasets.exceptions.DatasetNotFoundError, ValueError) as error:
        faults.add(field, f"hf://datasets/{repository.name} cannot be read: {error}")
    except OSError as error:
        raise Transient(f"{field}: hf://datasets/{repository.name} does not answer: {error}") from error
