"""Reads the rows of a file or folder, for tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from blendtune_api.v1alpha1 import Columns
from blendtune_runtime.errors import BadData
from blendtune_runtime.uris import StorePath
from blendtune_trainer.rows.collect import Row, RowSource, collect
from blendtune_trainer.rows.faults import SourceFaults
from blendtune_trainer.rows.notes import Notes
from blendtune_trainer.rows.splits import Split


@dataclass(frozen=True)
class Read:
    """What was read."""

    rows: list[Row]
    faults: SourceFaults
    notes: Notes

    @property
    def places(self) -> list[str]:
        return [row.place for row in self.rows]

    @property
    def answers(self) -> list[str]:
        return [row.conversation.messages[-1].content for row in self.rows]

    @property
    def message(self) -> str:
        """The error with all faults."""
        with pytest.raises(BadData) as raised:
            self.faults.faults.check()
        return raised.value.message


def read(path: Path, purpose: Split = Split.TRAIN, columns: Columns | None = None) -> Read:
    """The rows at `path`, as those of the first source of a spec."""
    faults, notes = SourceFaults(), Notes()
    source = RowSource(
        location=StorePath(url=str(path)), field="spec.blend.sources[0]", columns=columns, purpose=purpose
    )
    return Read(list(collect(source, faults, notes)), faults, notes)
