"""Where an answer takes something back, and where it draws its conclusion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blendtune_eval.rules.latex import BOXED
from blendtune_eval.rules.text import Sentence, word_at, words

_CORRECTING = (  # phrases after which the answer begins anew
    "no , i mean", "no i mean", "sorry , no",
    "no wait", "no , wait", "wait", "hold on", "correction", "i misspoke", "i meant", "let me correct",
    "scratch that", "that is wrong", "that was wrong", "that is not right", "that is incorrect",
    "that can not be right",
    "my mistake", "on second thought", "let me redo", "let me recompute", "let me recalculate",
    "i made a mistake",
    "i was wrong", "oops", "no , sorry", "sorry , i", "sorry , that",
    "sorry ; that", "sorry , it", "sorry ; it", "no , actually", "actually , no",
    "actually , it is", "actually it is",
    "hmm , no", "or rather", "i correct myself",
)  # fmt: skip
_CORRECTING_TOKENS = tuple(tuple(phrase.split()) for phrase in _CORRECTING)
_CONFIRMING = words("yes right correct confirmed confirms indeed same stands")
_CONCLUDING = (
    "so", "therefore", "thus", "hence", "in total", "altogether", "the answer is", "answer :", "final answer",
    "result", "in conclusion", "the total is", "finally", "consequently", "in short", "in summary",
    "which gives",
    "we get", "that makes", "therefore ,", "total :", "conclusion",
)  # fmt: skip
_CONCLUDING_TOKENS = tuple(tuple(phrase.split()) for phrase in _CONCLUDING)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A token of an answer: the number of its sentence, and its index there."""

    sentence: int
    token: int


def last_correction(sentences: Sequence[Sentence]) -> Place | None:
    """Where the last correction begins that something follows; None without one."""
    found: Place | None = None
    for number, sentence in enumerate(sentences):
        texts = [token.text for token in sentence.tokens]
        for index in range(len(texts)):
            if any(tuple(texts[index : index + len(mark)]) == mark for mark in _CORRECTING_TOKENS):
                if texts[index] == "wait" and not _is_interjection(texts, index):
                    continue
                if index or number:
                    found = Place(number, index)
    return found or _asked_and_answered(sentences)


def confirms(sentences: Sequence[Sentence], correction: Place) -> bool:
    """Whether what follows the correction confirms what was said before: "let me check. Yes."."""
    after = [token.text for token in sentences[correction.sentence].tokens[correction.token :]]
    after += [token.text for sentence in sentences[correction.sentence + 1 :] for token in sentence.tokens]
    return not _CONFIRMING.isdisjoint(after) and "not" not in after and "wrong" not in after


def conclusions(sentences: Sequence[Sentence]) -> list[Place]:
    """Where passages begin that say what follows from the rest."""
    return [
        Place(number, index)
        for number, sentence in enumerate(sentences)
        for index in range(len(sentence.tokens))
        if any(
            tuple(token.text for token in sentence.tokens[index : index + len(mark)]) == mark
            for mark in _CONCLUDING_TOKENS
        )
    ]


def boxed(sentence: Sentence) -> tuple[int, int] | None:
    """The tokens between the last pair of marks of `\\boxed`; None without one."""
    marks = [index for index, token in enumerate(sentence.tokens) if token.text == BOXED]
    return (marks[-2], marks[-1]) if len(marks) > 1 else None


def _is_interjection(texts: Sequence[str], index: int) -> bool:
    """ "Wait, that is wrong", unlike "you wait 21 days"."""
    opens = index == 0 or texts[index - 1] in (",", ";", "no", ".", "(")
    return opens and (
        index + 1 == len(texts) or texts[index + 1] in (",", ";", ".", "!", "no", "that", "let", ":")
    )


def _asked_and_answered(sentences: Sequence[Sentence]) -> Place | None:
    """ "Zinc? No, copper.": what was asked is dropped."""
    for number in range(len(sentences) - 1, 0, -1):
        if sentences[number - 1].interrogative and word_at(sentences[number].tokens, 0) in ("no", "nope"):
            return Place(number, 0)
    return None
