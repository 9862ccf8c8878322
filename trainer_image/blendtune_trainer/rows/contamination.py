"""Test-set contamination: searches the training rows for the prompts of the rubric."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blendtune_runtime.chat.conversation import ChatRole, Conversation
from blendtune_runtime.errors import BadData, BadRubric

_WORD = re.compile(r"\w+")
_OVERLAP_WORDS = 8  # consecutive words that two texts rarely share by chance
# A prompt of 5 to 7 words matches if a turn contains all of it, a shorter one only if the turn equals it.
_SHORT_PROMPT_WORDS = 5
_GENERAL = "general"
_SHOWN = 20  # matches in an error message

Words = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RubricPrompt:
    """One wording of a question of the rubric."""

    question: str  # id
    domain: str  # general | inDomain
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptMatch:
    """A prompt of the rubric found in a user turn of a training row."""

    question: str  # id
    domain: str  # general | inDomain
    place: str  # of the row
    exact: bool  # the turn equals the prompt, else it contains it or shares consecutive words

    def __str__(self) -> str:
        how = "asks the same" if self.exact else f"holds it, or {_OVERLAP_WORDS} consecutive words of it"
        return f"question {self.question}: {self.place} {how}"


def load_prompts(path: Path) -> tuple[RubricPrompt, ...]:
    """All wordings of the checked rubric; empty if there is none. Raises BadRubric if the file is invalid."""
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
    """Searches rows for prompts and collects the first exact and the first partial match of each question."""

    def __init__(self, prompts: Sequence[RubricPrompt]) -> None:
        self._prompts: dict[Words, RubricPrompt] = {}
        self._phrases: dict[Words, RubricPrompt] = {}
        for prompt in prompts:
            words = normalised_words(prompt.text)
            self._prompts.setdefault(words, prompt)
            size = min(_OVERLAP_WORDS, len(words))
            if size >= _SHORT_PROMPT_WORDS:
                for start in range(len(words) - size + 1):
                    self._phrases.setdefault(words[start : start + size], prompt)
        self._sizes = sorted({len(phrase) for phrase in self._phrases})
        self._openings = {phrase[0] for phrase in self._phrases}
        self._matches: dict[tuple[str, bool], PromptMatch] = {}

    @property
    def matches(self) -> tuple[PromptMatch, ...]:
        """The matches so far."""
        return tuple(self._matches.values())

    def search(self, place: str, conversation: Conversation) -> None:
        """Adds the matches in the user turns of one row."""
        if not self._prompts:
            return
        for message in conversation.messages:
            if message.role is ChatRole.USER:
                self._search_turn(place, normalised_words(message.content))

    def holds(self, words: Words) -> bool:
        """Whether a turn of these words asks what a prompt asks, or shares a phrase with one."""
        return next(self._found(words), None) is not None

    def _search_turn(self, place: str, words: Words) -> None:
        for prompt, exact in self._found(words):
            match = PromptMatch(question=prompt.question, domain=prompt.domain, place=place, exact=exact)
            self._matches.setdefault((prompt.question, exact), match)

    def _found(self, words: Words) -> Iterator[tuple[RubricPrompt, bool]]:
        """The prompts that a turn holds, and whether it equals them."""
        asked = self._prompts.get(words)
        if asked is not None:
            yield asked, True
        for start, word in enumerate(words):
            if word not in self._openings:
                continue
            for size in self._sizes:
                shared = self._phrases.get(words[start : start + size])
                if shared is not None and shared is not asked:
                    yield shared, False


def normalised_words(text: str) -> Words:
    """The words of a text, case-folded, without punctuation, in Unicode normal form KC."""
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def check_matches(matches: Sequence[PromptMatch]) -> tuple[str, ...]:
    """At most one warning, about in-domain questions. Raises BadData if there are general questions.

    General questions measure what the model has forgotten; having trained on them would hide forgetting.
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
