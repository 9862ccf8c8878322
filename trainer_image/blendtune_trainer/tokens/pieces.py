"""Tokenizes texts piece by piece, so that a piece that recurs, as most words do, is tokenized once.

It is exact for tokenizers that never make a token across a space that follows a word: those whose regular
expressions cut the text there before any tokens are made. All others tokenize whole texts.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any

from blendtune_trainer.tokens.answers import Span
from blendtune_trainer.tokens.tokenized import TextTokenizer, TokenizedText, WholeTexts

# Before each space that follows no white space.
_PIECE = re.compile(r" *[^ ]+(?:(?<=\s) +[^ ]*)*| +")
_KEPT_PIECES = 1 << 17  # before all are forgotten: some 30 MB
_KEPT_LENGTH = 64  # characters of a piece that is kept, at most

Ids = tuple[int, ...]

# Expressions of which no match has a space after anything but white space, and one matches every space. So
# one begins at each space that follows no white space, and what is before it does not matter.
_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_WORDS = frozenset(
    {
        # Llama 3 and its heirs; Qwen
        *(
            rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}"
            for digits in (r"\p{N}{1,3}", r"\p{N}")
        ),
        # gpt-oss
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDINGS}?|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDINGS}?"
        rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_SPACES}",
        # DeepSeek
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
        "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
    }
)
# Expressions that match no space at all.
_SPACELESS = frozenset({r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+"})


def text_tokenizer(tokenizer: Any) -> TextTokenizer:
    """The fastest way to tokenize texts with a tokenizer of transformers."""
    return Pieces(tokenizer) if cuts_at_spaces(tokenizer.backend_tokenizer) else WholeTexts(tokenizer)


def cuts_at_spaces(backend: Any) -> bool:
    """Whether the text before a space that follows no white space never changes the tokens from there on."""
    steps = list(_steps(backend.pre_tokenizer, "pretokenizers"))
    normalizers = list(_steps(backend.normalizer, "normalizers"))
    added = backend.get_added_tokens_decoder().values()
    return (
        bool(steps)
        and all(map(_cuts_no_word, steps))
        and any(map(_cuts_at_each_space, steps))
        and all(step["type"] == "NFC" for step in normalizers)
        and getattr(backend.model, "dropout", None) is None
        and not any(token.lstrip or token.rstrip or token.single_word for token in added)
        and not any(" " in token.content for token in added)
    )


def _steps(part: Any, of_sequence: str) -> Iterator[Mapping[str, Any]]:
    """The settings of a pre-tokenizer or normalizer, or of all in a sequence of them."""
    pending = [json.loads(part.__getstate__())] if part is not None else []
    while pending:
        step = pending.pop(0)
        if step["type"] == "Sequence":
            pending = step[of_sequence] + pending
        else:
            yield step


def _cuts_no_word(step: Mapping[str, Any]) -> bool:
    """Whether no match of a pre-tokenizer goes over a space that follows no white space."""
    match step:
        case {"type": "ByteLevel", "add_prefix_space": added}:
            return not added
        case {"type": "Digits"}:
            return True
        case {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}:
            return expression in _WORDS or expression in _SPACELESS
    return False


def _cuts_at_each_space(step: Mapping[str, Any]) -> bool:
    """Whether a pre-tokenizer whose matches are as above has one at every space."""
    match step:
        case {"type": "ByteLevel"}:
            return bool(step.get("use_regex", True))
        case {"type": "Split"}:
            return step["pattern"]["Regex"] in _WORDS
    return False


class Pieces:
    """Tokenizes texts by their pieces, with a tokenizer that cuts at spaces."""

    def __init__(self, tokenizer: Any) -> None:
        self.whole = WholeTexts(tokenizer)
        self._backend = tokenizer.backend_tokenizer
        added = self._backend.get_added_tokens_decoder().values()
        longest_first = sorted((token.content for token in added if not token.normalized), key=len)[::-1]
        self._added = re.compile(f"({'|'.join(map(re.escape, longest_first))})") if longest_first else None
        self._kept: dict[str, Ids] = {}

    def tokenize(self, texts: Sequence[str]) -> list[TextOfPieces]:
        """Each text with its tokens."""
        cut = [self._cut(text) for text in texts]
        ids = self._ids(chain.from_iterable(cut))
        return [
            TextOfPieces(self, text, pieces, [ids[piece] for piece in pieces])
            for text, pieces in zip(texts, cut, strict=True)
        ]

    def ids_of(self, text: str) -> Ids:
        """Token ids of a text."""
        pieces = self._cut(text)
        ids = self._ids(pieces)
        return tuple(chain.from_iterable(ids[piece] for piece in pieces))

    def _cut(self, text: str) -> list[str]:
        """The pieces of a text, in order: its added tokens, and between them the words."""
        if self._added is None:
            return _PIECE.findall(text)
        pieces: list[str] = []
        for index, part in enumerate(self._added.split(text)):
            if index % 2:
                pieces.append(part)
            else:
                pieces += _PIECE.findall(part)
        return pieces

    def _ids(self, pieces: Iterable[str]) -> Mapping[str, Ids]:
        """The token ids of pieces."""
        if len(self._kept) > _KEPT_PIECES:
            self._kept = {}
        kept = self._kept
        new = list({piece for piece in pieces if piece not in kept})
        if not new:
            return kept
        encodings = self._backend.encode_batch_fast(new, add_special_tokens=False)
        found = {piece: tuple(encoding.ids) for piece, encoding in zip(new, encodings, strict=True)}
        short = {piece: ids for piece, ids in found.items() if len(piece) <= _KEPT_LENGTH}
        kept.update(short)
        return kept if len(short) == len(found) else kept | found


class TextOfPieces:
    """A text that was tokenized by its pieces."""

    def __init__(self, tokenizer: Pieces, text: str, pieces: Sequence[str], ids: Sequence[Ids]) -> None:
        self.ids = list(chain.from_iterable(ids))
        self._tokenizer = tokenizer
        self._text = text
        self._ids = ids  # of each piece
        self._ends = list(accumulate(map(len, pieces)))  # index after the last character of each piece

    def tokens_of(self, answer: Span) -> Span | None:
        """The span of the tokens of an answer; None if its prompt's tokens are not the first of the text."""
        start, end = answer
        last = bisect_left(self._ends, end)
        if self._ends[last] != end:
            return self._as_a_whole().tokens_of(answer)
        first = self._prompt_length(start)
        return None if first is None else (first, self._count(last + 1))

    def _prompt_length(self, end: int) -> int | None:
        """Number of the tokens of the text before `end`; None if they are not the first of the text."""
        index = bisect_left(self._ends, end)
        if self._ends[index] == end:
            return self._count(index + 1)
        begin = self._ends[index - 1] if index else 0
        opening = self._tokenizer.ids_of(self._text[begin:end])
        return self._count(index) + len(opening) if self._ids[index][: len(opening)] == opening else None

    def _count(self, pieces: int) -> int:
        """Number of the tokens of so many first pieces."""
        return sum(map(len, self._ids[:pieces]))

    def _as_a_whole(self) -> TokenizedText:
        return self._tokenizer.whole.tokenize([self._text])[0]
