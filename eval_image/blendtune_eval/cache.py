"""Answers, judgements and benchmark results on disk, so that another attempt does not repeat them."""

from __future__ import annotations

import json
import os
from collections.abc import ItemsView, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from blendtune_core.benchmark_scores import Measured
from blendtune_core.retention import RowLoss


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenAnswer:
    """A model's answer. `finished`: the model ended it, before the limit on new tokens."""

    text: str
    tokens: int
    finished: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """A judge model's verdicts on one answer: which criteria it meets and why, and whether it declines.

    `form` says how the server was asked, `served` is the model that the server names in its reply.
    """

    met: Mapping[str, bool]
    reasons: Mapping[str, str]
    declines: bool
    form: str = ""
    served: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grade:
    """A person's grade of an answer; None where the person cannot tell."""

    correct: bool | None
    prompt: str
    answer: str


T = TypeVar("T", bound=GivenAnswer | Judgement | Measured | RowLoss | Grade)


class Journal(Generic[T]):
    """An append-only file of JSON lines, each a value with its key, for one identity.

    A last line that was not written completely is dropped when the file is opened. Other lines that cannot be
    read are ignored, and so are those of another identity.
    """

    def __init__(self, path: Path, identity: str, kind: type[T]) -> None:
        self._path = path
        self._identity = identity
        self._kind = kind
        self._values = self._read()

    def get(self, key: str) -> T | None:
        return self._values.get(key)

    def items(self) -> ItemsView[str, T]:
        return self._values.items()

    def add(self, values: Mapping[str, T]) -> None:
        """Appends values by their keys; they are on disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps({"identity": self._identity, "key": key, "value": asdict(value)}, ensure_ascii=False)
            for key, value in values.items()
        ]
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        self._values.update(values)

    def _read(self) -> dict[str, T]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self._path, whole)
        values: dict[str, T] = {}
        for line in content[:whole].splitlines():
            try:
                entry: dict[str, Any] = json.loads(line)
                if entry["identity"] == self._identity:
                    values[entry["key"]] = self._kind(**entry["value"])
            except (ValueError, KeyError, TypeError):
                continue
        return values


class AnswerCache(Journal[GivenAnswer]):
    """The answers of one model under one way of decoding, by the digest of the prompt."""

    def __init__(self, folder: Path, weights_digest: str, decoding_digest: str) -> None:
        file = folder / f"{weights_digest[:16]}-{decoding_digest[:16]}.jsonl"
        super().__init__(file, f"{weights_digest}:{decoding_digest}", GivenAnswer)

    def all_of(self, digests: Iterable[str]) -> list[GivenAnswer]:
        """The answers that there are to these prompts, in their order."""
        found = (self.get(digest) for digest in digests)
        return [answer for answer in found if answer is not None]


class JudgementCache(Journal[Judgement]):
    """The judgements of one judge model, by the key of the request."""

    def __init__(self, folder: Path, judge_digest: str) -> None:
        super().__init__(folder / f"{judge_digest[:16]}.jsonl", judge_digest, Judgement)


class LossCache(Journal[RowLoss]):
    """The losses of two models on the same texts, by the digest of the text."""

    def __init__(self, folder: Path, models_digest: str) -> None:
        super().__init__(folder / f"{models_digest[:16]}.jsonl", models_digest, RowLoss)
