"""The rows of one source self:// while they are written."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blendtune_api.v1alpha1 import (
    MAX_SCRIPTS,
    Blend,
    RehearsedSource,
    RejectedBecause,
    RowsOfScript,
    Source,
    Unit,
)
from blendtune_runtime.chat.conversation import Conversation
from blendtune_runtime.errors import BadData
from blendtune_runtime.files import write_text
from blendtune_trainer.blending.blend import BlendSource
from blendtune_trainer.blending.holdout import held_out
from blendtune_trainer.rehearsing.batches import Batches, WrittenRow
from blendtune_trainer.rehearsing.filters import KeptRow, RowFilter, told
from blendtune_trainer.rehearsing.scripts import script_of
from blendtune_trainer.rehearsing.writer import Writer
from blendtune_trainer.rows.conversations import canonical_bytes
from blendtune_trainer.tokens.digests import bytes_digest, row_key

_LATEST = 10  # batches, of which a part must be kept, or the model is told to have no more to say
_FEWEST_KEPT = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class _Example:
    key: int  # of its row, as the blend computes it
    tokens: int
    supervised: int  # tokens


class SelfSource:
    """What was written of a source so far, and what is kept of it.

    `rows` judges the rows of all sources self:// of a run. `index` is the source's place in the spec.
    """

    def __init__(
        self, source: Source, index: int, blend: Blend, writer: Writer, batches: Batches, rows: RowFilter
    ) -> None:
        self.source = source
        self.index = index
        self._blend = blend
        self._writer = writer
        self._batches = batches
        self._rows = rows
        self._kept: list[Conversation] = []
        self._examples: list[_Example] = []
        self._rejected: Counter[RejectedBecause] = Counter()
        self._latest: deque[tuple[int, int]] = deque(maxlen=_LATEST)  # rows written, and kept
        self._number = self._written = self._reused = 0

    def write_next(self, before_writing: Callable[[], None]) -> None:
        """Adds the next batch. `before_writing` is called if it is not there and the model has to write it.

        Raises BadData if there are no more questions, or if hardly any of the latest rows were kept.
        """
        if self._writer.batches is not None and self._number >= self._writer.batches:
            raise BadData(self._no_more_questions())

        def write(number: int) -> list[WrittenRow]:
            before_writing()
            return self._writer.write(number)

        rows, were_there = self._batches.read_or_write(self._number, write)
        kept = 0
        for row in rows:
            judged = self._rows.judge(row)
            if isinstance(judged, KeptRow):
                self._keep(judged)
                kept += 1
            else:
                self._rejected[judged] += 1
        self._number += 1
        self._written += len(rows)
        self._reused += len(rows) * were_there
        self._latest.append((len(rows), kept))
        self._check_kept()

    def _keep(self, row: KeptRow) -> None:
        key = row_key(canonical_bytes(row.conversation), self._blend.seed)
        self._kept.append(row.conversation)
        self._examples += [
            _Example(key=key, tokens=len(each.input_ids), supervised=int(each.supervised.sum()))
            for each in row.examples
        ]

    @property
    def tokens(self) -> int:
        """Tokens of the rows kept."""
        return int(self._lengths().sum())

    def for_blend(self) -> BlendSource:
        """What the blend's arithmetic will know of the rows kept so far: those that are not held out."""
        keys = np.array([example.key for example in self._examples], np.uint64)
        trained = ~held_out(keys, self._blend.validation.resolved_fraction)
        return BlendSource(
            name=self.source.name,
            role=self.source.role,
            weight=self.source.weight,
            max_epochs=self.source.resolved_max_epochs(self._blend.budget),
            sizes=self._sizes()[trained],
            tokens=int(self._lengths()[trained].sum()),
            unit=self._blend.unit,
            field=f"spec.blend.sources[{self.index}]",
        )

    def save(self, path: Path) -> RehearsedSource:
        """Writes the rows kept, and returns what is told of them."""
        lines = [
            json.dumps({"messages": [each.for_template() for each in row.messages]}) for row in self._kept
        ]
        write_text(path, "".join(f"{line}\n" for line in lines))
        lengths = self._lengths()
        return RehearsedSource(
            name=self.source.name,
            rows=len(self._kept),
            tokens=int(lengths.sum()),
            longest=int(lengths.max(initial=0)),
            written=self._written,
            reused=self._reused,
            digest=bytes_digest(map(canonical_bytes, self._kept)),
            rejected=told(self._rejected),
            scripts=self._scripts(),
        )

    def _scripts(self) -> tuple[RowsOfScript, ...]:
        """The rows kept by script, the most frequent first, those of one number by name."""
        found = Counter(
            script_of(" ".join(message.content for message in row.messages)) for row in self._kept
        )
        ordered = sorted(found.items(), key=lambda each: (-each[1], each[0]))
        return tuple(RowsOfScript(script=script, rows=rows) for script, rows in ordered[:MAX_SCRIPTS])

    def _lengths(self) -> NDArray[np.int64]:
        """[examples] tokens of each."""
        return np.array([example.tokens for example in self._examples], np.int64)

    def _sizes(self) -> NDArray[np.int64]:
        """[examples] size of each in the unit of the blend."""
        match self._blend.unit:
            case Unit.TOKENS:
                return self._lengths()
            case Unit.SUPERVISED_TOKENS:
                return np.array([example.supervised for example in self._examples], np.int64)
            case Unit.EXAMPLES:
                return np.ones(len(self._examples), np.int64)

    def _check_kept(self) -> None:
        if len(self._latest) < _LATEST:
            return
        written, kept = (sum(each) for each in zip(*self._latest, strict=True))
        if kept < _FEWEST_KEPT * written:
            raise BadData(
                f"spec.blend.sources[{self.index}] ({self.source.name}): of the last {written:,} rows that "
                f"the base model has written {kept:,} can be learnt from; left out in all: {self._reasons()}"
                ". Unfinished: raise maxNewTokens of selfRehearsal; duplicates: raise its temperature; else "
                "give it other questions in prompts.uri, or lower the weight"
            )

    def _no_more_questions(self) -> str:
        prompts = self.source.rehearsal.prompts
        reasons = f" ({self._reasons()} left out)" if self._rejected else ""
        return (
            f"spec.blend.sources[{self.index}].selfRehearsal.prompts.uri ({self.source.name}): "
            f"the {self._written:,} questions of {prompts.uri if prompts else ''} gave {len(self._kept):,} "
            f"rows of {self.tokens:,} tokens{reasons}, and more are needed: add questions, raise maxEpochs, "
            "or lower the source's weight"
        )

    def _reasons(self) -> str:
        return ", ".join(f"{each.rows:,} {each.reason}" for each in told(self._rejected))
