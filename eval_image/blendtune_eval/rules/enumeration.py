"""Whether a phrase is one item of a list: "copper, zinc, lead" names none of the three as the answer."""

from __future__ import annotations

from collections.abc import Sequence

from blendtune_eval.rules.text import Token, TokenKind, words

_SEPARATORS = frozenset({",", "and", "or", "/"})
_LONGEST_ITEM = 3  # words
_FEWEST_ITEMS = 3
_INTERJECTIONS = words("no yes sorry well sure okay")
_HARD = frozenset(";:()[].")


def enumerated(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether the tokens [start, end) are a whole item among at least three short ones."""
    left = _items(tokens, range(start - 1, -1, -1))
    right = _items(tokens, range(end, len(tokens)))
    return left + right + 1 >= _FEWEST_ITEMS


def offered_by_or(tokens: Sequence[Token], start: int, end: int) -> bool:
    """Whether the list that the phrase is in joins its items with "or"."""
    return enumerated(tokens, start, end) and any(token.text == "or" for token in tokens)


def _items(tokens: Sequence[Token], indices: range) -> int:
    """Short items that are separated from the phrase and from each other, in one direction."""
    items = length = 0
    separated = False
    for index in indices:
        text = tokens[index].text
        if text in _SEPARATORS:
            if (
                separated
                and 0 < length <= _LONGEST_ITEM
                and tokens[index - indices.step].text not in _INTERJECTIONS
            ):
                items += 1
            elif not separated and length:
                return 0  # more words of the item itself
            separated, length = True, 0
        elif text in _HARD or tokens[index].kind is TokenKind.BREAK:
            break
        elif not separated:
            return 0  # the list begins or ends at the phrase
        else:
            length += 1
            if length > _LONGEST_ITEM:
                return items + (indices.step < 0)  # what leads to the first item
    last = tokens[indices[-1]].text if indices else ""
    if last in _INTERJECTIONS:
        return items
    return items + (separated and 0 < length <= _LONGEST_ITEM)
