"""Searches the training rows for a rubric's prompts: a model that has seen the exam proves nothing."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blendtune_runtime.errors import BadData, BadRubric
from blendtune_trainer.rows.conversations import Conversation

_WORD = re.compile(r"\w+")
_OVERLAP_WORDS = 8  # consecutive words that two texts hardly share by chance
_SHORT_PROMPT_WORDS = (
    5  # a prompt of 5 to 7 words counts when a turn holds the whole of it, a shorter one when equal
)
_GENERAL = "general"
_SHOWN = 20

Words = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricPrompt:
    question: str  # id
    domain: str  # general | inDomain
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptMatch:
    """A prompt of the rubric met in a user turn of a training row."""

    question: str
    domain: str
    place: str
    exact: bool

    def __str__(self) -> str:
        how = "asks the same" if self.exact else f"holds it, or {_OVERLAP_WORDS} consecutive words of it"
        return f"question {self.question}: {self.place} {how}"


def load_prompts(path: Path) -> tuple[RubricPrompt, ...]:
    """The wordings of the checked rubric; none where no rubric was checked. Raises StageError on others."""
    try:
        rubric = json.loads(path.read_text())
        return tuple(prompt for question in rubric["questions"] for prompt in _wordings(question))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRubric(f"{path}: not a checked rubric ({error!r}); run the rubric check again") from error


def _wordings(question: Mapping[str, Any]) -> Iterable[RubricPrompt]:
    for text in (question["prompt"], *question.get("paraphrases", ())):
        yield RubricPrompt(question=question["id"], domain=question["domain"], text=text)


class PromptSearch:
    """Gathers the matches of a rubric's prompts, the first of each kind for each question."""

    def __init__(self, prompts: Sequence[RubricPrompt]) -> None:
        self._whole: dict[Words, RubricPrompt] = {}
        self._parts: dict[Words, RubricPrompt] = {}
        for prompt in prompts:
            words = normalised_words(prompt.text)
            self._whole.setdefault(words, prompt)
            size = min(_OVERLAP_WORDS, len(words))
            if size >= _SHORT_PROMPT_WORDS:
                for start in range(len(words) - size + 1):
                    self._parts.setdefault(words[start : start + size], prompt)
        self._sizes = sorted({len(part) for part in self._parts})
        self._openings = {part[0] for part in self._parts}
        self._matches: dict[tuple[str, bool], PromptMatch] = {}

    @property
    def matches(self) -> tuple[PromptMatch, ...]:
        return tuple(self._matches.values())

    def search(self, place: str, conversation: Conversation) -> None:
        if not self._whole:
            return
        for message in conversation:
            if message["role"] == "user":
                self._search_turn(place, normalised_words(message["content"]))

    def _search_turn(self, place: str, words: Words) -> None:
        asked = self._whole.get(words)
        if asked is not None:
            self._add(asked, place, exact=True)
        for start, word in enumerate(words):
            if word not in self._openings:
                continue
            for size in self._sizes:
                shared = self._parts.get(words[start : start + size])
                if shared is not None and shared is not asked:
                    self._add(shared, place, exact=False)

    def _add(self, prompt: RubricPrompt, place: str, exact: bool) -> None:
        match = PromptMatch(question=prompt.question, domain=prompt.domain, place=place, exact=exact)
        self._matches.setdefault((prompt.question, exact), match)


def normalised_words(text: str) -> Words:
    """The words of a text without case, punctuation and variants of form."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def check_matches(matches: Sequence[PromptMatch]) -> tuple[str, ...]:
    """A warning about in-domain questions in the training rows. Raises StageError for general ones.

    The general questions measure what was forgotten, so an answer learnt by heart would hide just that.
    """
    general = [match for match in matches if match.domain == _GENERAL]
    if general:
        lines = [str(match) for match in general[:_SHOWN]]
        if len(general) > _SHOWN:
            lines.append(f"... {len(general)} in all; these are the first {_SHOWN}")
        lines.append("General questions may not stand in the training rows: remove the rows, or ask others")
        raise BadData("\n".join(lines))
    questions = sorted({match.question for match in matches})
    if not questions:
        return ()
    return (f"{len(questions)} in-domain questions stand in the training rows, among them {matches[0]}",)
