"""The yes or no with which an answer opens."""

from __future__ import annotations

import re
from collections.abc import Sequence

from blendtune_eval.rules.text import Sentence, Token, TokenKind, content, word_at, words

_SUBJECT = (
    r"(?:it|that|this|they|these|those|there|he|she|you|we|one) "
    r"(?:is|are|was|were|does|do|did|can|may|must|will|has|have)"
)
_AFFIRMING = re.compile(
    rf"(?:yes )?(?:indeed |certainly |of course )?{_SUBJECT}(?: indeed)?"
    r"|(?:(?:that|it|this) is )?(?:quite )?(?:correct|right|true)|indeed|exactly|affirmative|of course"
)
_REGRETTING = r"(?:unfortunately|sadly|regrettably|sorry|alas|(?:i )?(?:am )?afraid)"
_DENYING = re.compile(
    rf"(?:{_REGRETTING} )?(?:no )?{_SUBJECT} not"
    rf"|(?:{_REGRETTING}|certainly|definitely|of course|surely|absolutely|probably) not|not (?:really|at all)"
    r"|(?:(?:that|it|this) is )?(?:incorrect|wrong|false|untrue)|negative"
)
_YES = words("yes yeah yep sure certainly absolutely definitely ja oui sí si sì sim")
_NO = words("no nope never nein non não não")
_EMPHASIS = words("absolutely definitely certainly of course surely oh well")


def polarity(sentences: Sequence[Sentence]) -> bool | None:
    """True for an opening yes, False for an opening no; None without either."""
    if not sentences:
        return None
    if (told := _as_a_whole(sentences[0])) is not None:
        return told
    opening = [token.text for token in sentences[0].tokens[:3]]
    if both_ways(sentences[0].tokens):
        return None
    while opening and opening[0] in _EMPHASIS and len(opening) > 1 and opening[1] in ("not", "no"):
        return False
    if opening[:2] == ["of", "course"]:
        return opening[2:3] != ["not"]
    if opening and opening[0] in _YES:
        return opening[1:2] != ["not"]
    if opening and opening[0] in _NO:
        return None if opening[1:2] and opening[1] not in _FOLLOWING and len(opening) > 1 else False
    return None


def both_ways(tokens: Sequence[Token]) -> bool:
    """ "Yes and no"."""
    said = [token.text for token in tokens if token.text not in (",", "and", "but", "or")][:2]
    return bool(_YES.intersection(said) and _NO.intersection(said))


def _as_a_whole(sentence: Sentence) -> bool | None:
    """Of a sentence that is no more than yes or no: "It is.", "I'm afraid not.", "Correct."."""
    said = " ".join(token.text for token in sentence.tokens if token.kind is TokenKind.WORD)
    if _AFFIRMING.fullmatch(said):
        return True
    return False if _DENYING.fullmatch(said) else None


def asks_yes_or_no(wording: str) -> bool:
    """Whether a question begins as those do that yes or no answers."""
    return word_at(content(wording), 0) in _ASKING


_ASKING = words("is are was were do does did can could may must will would shall should has have")
_FOLLOWING = words(", . ; : ! - it the this that these those they i you we he she there do does is are not")
