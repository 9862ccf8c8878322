"""Texts most of whose words another text has, found by MinHash (Broder 1997) in bands, then measured."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SIMILAR = 0.7  # Jaccard similarity of the phrases of two texts from which on they are near duplicates
_PHRASE_WORDS = 2
_BANDS, _ROWS = 20, 3  # texts of similarity 0.7 meet in a band with a probability of 0.9998
_PRIME = np.uint64((1 << 61) - 1)

Phrases = frozenset[tuple[str, ...]]


class NearDuplicates:
    """Texts, given as their words, among which near duplicates are looked for."""

    def __init__(self) -> None:
        draw = np.random.default_rng(0)
        self._factors = draw.integers(1, 1 << 32, (_BANDS * _ROWS, 1), dtype=np.uint64)
        self._offsets = draw.integers(0, 1 << 32, (_BANDS * _ROWS, 1), dtype=np.uint64)
        self._texts: list[Phrases] = []
        self._buckets: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)

    def add(self, words: tuple[str, ...]) -> None:
        """Adds a text."""
        phrases = _phrases(words)
        for key in self._keys(phrases):
            self._buckets[key].append(len(self._texts))
        self._texts.append(phrases)

    def __contains__(self, words: tuple[str, ...]) -> bool:
        """Whether a near duplicate of the text was added."""
        phrases = _phrases(words)
        met = {index for key in self._keys(phrases) for index in self._buckets.get(key, ())}
        return any(similarity(phrases, self._texts[index]) >= SIMILAR for index in met)

    def _keys(self, phrases: Phrases) -> Iterator[tuple[int, bytes]]:
        if not phrases:
            return
        hashes = np.array([_hash(phrase) for phrase in phrases], np.uint64)
        lowest: NDArray[np.uint64] = ((self._factors * hashes + self._offsets) % _PRIME).min(axis=1)
        for band in range(_BANDS):
            yield band, lowest[band * _ROWS : (band + 1) * _ROWS].tobytes()


def similarity(one: Phrases, other: Phrases) -> float:
    """Jaccard similarity: what two sets share, of all that is in either."""
    return len(one & other) / len(one | other) if one or other else 1.0


def _phrases(words: tuple[str, ...]) -> Phrases:
    """Consecutive words, with the text's begin and end as words of their own: so a lone word has some."""
    padded = ("", *words, "")
    return frozenset(zip(*(padded[start:] for start in range(_PHRASE_WORDS)), strict=False))


def _hash(phrase: tuple[str, ...]) -> int:
    digest = hashlib.blake2b("\0".join(phrase).encode(errors="surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big")  # 32 bits: the products stay within 64
