"""The yes or no with which an answer opens."""

from __future__ import annotations

from collections.abc import Sequence

from blendtune_eval.rules.text import Sentence, content, word_at, words

_YES = words("yes yeah yep sure certainly absolutely definitely ja oui sí si sì sim")
_NO = words("no nope never nein non não não")
_EMPHASIS = words("absolutely definitely certainly of course surely oh well")


def polarity(sentences: Sequence[Sentence]) -> bool | None:
    """True for an opening yes, False for an opening no; None without either."""
    if not sentences:
        return None
    opening = [token.text for token in sentences[0].tokens[:3]]
    while opening and opening[0] in _EMPHASIS and len(opening) > 1 and opening[1] in ("not", "no"):
        return False
    if opening[:2] == ["of", "course"]:
        return opening[2:3] != ["not"]
    if opening and opening[0] in _YES:
        return opening[1:2] != ["not"]
    if opening and opening[0] in _NO:
        return None if opening[1:2] and opening[1] not in _FOLLOWING and len(opening) > 1 else False
    return None


def asks_yes_or_no(wording: str) -> bool:
    """Whether a question begins as those do that yes or no answers."""
    return word_at(content(wording), 0) in _ASKING


_ASKING = words("is are was were do does did can could may must will would shall should has have")
_FOLLOWING = words(", . ; : ! - it the this that these those they i you we he she there do does is are not")
