"""Answers kept on disk under the weights, the prompt and the decoding, so that none is asked for twice."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class GivenAnswer:
    """What a model said. `finished`: it ended by itself, before the limit on new tokens."""

    text: str
    tokens: int
    finished: bool


class AnswerCache:
    """An append-only file of JSON lines for one model and one way of decoding.

    A line that was cut off by a kill is dropped when the file is opened.
    """

    def __init__(self, folder: Path, weights_digest: str, decoding_digest: str) -> None:
        self._path = folder / f"{weights_digest[:16]}-{decoding_digest[:16]}.jsonl"
        self._identity = f"{weights_digest}:{decoding_digest}"
        self._answers = self._read()

    def get(self, prompt_digest: str) -> GivenAnswer | None:
        return self._answers.get(prompt_digest)

    def add(self, answers: Mapping[str, GivenAnswer]) -> None:
        """Appends answers by their prompt's digest; they are on disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps(
                {
                    "identity": self._identity,
                    "prompt": digest,
                    "text": answer.text,
                    "tokens": answer.tokens,
                    "finished": answer.finished,
                },
                ensure_ascii=False,
            )
            for digest, answer in answers.items()
        ]
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        self._answers.update(answers)

    def _read(self) -> dict[str, GivenAnswer]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self._path, whole)
        answers = {}
        for line in content[:whole].splitlines():
            try:
                entry = json.loads(line)
                if entry["identity"] == self._identity:
                    answers[entry["prompt"]] = GivenAnswer(
                        text=entry["text"], tokens=entry["tokens"], finished=entry["finished"]
                    )
            except (ValueError, KeyError, TypeError):
                continue  # asked again
        return answers
