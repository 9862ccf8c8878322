"""Whether an answer declines: says that it does not know, cannot know, or will not say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from blendtune_eval.rules.negation import Standing
from blendtune_eval.rules.quantities import quantities
from blendtune_eval.rules.text import Sentence, Token, TokenKind, content, normalise, sentences, words

_KNOW = r"(?:know|say|tell|determine|predict|confirm|verify|answer|guess|be certain|be sure)"
_LACKED = (  # "I do not have ..." declines; "... any doubt" does not
    r"(?:(?!(?:doubts?|about|to|in|with|for)\b)[\w'-]+ ){0,4}"
    r"(?:information|data|details?|access|way|means|ideas?|clue|knowledge|records?|recollection|memory|memories"
    r"|ability|abilities|capability|capabilities|capacity|authority|permission|insights?|evidence|context|sources?"
    r"|experiences?|expertise|figures?|numbers?|statistics|answers?|opinions?|beliefs?|preferences?|feelings?"
    r"|emotions?|crystal ball)\b"
    r"|(?:that|this|it|those|these|any|one)(?= *(?:[.,;:!?]|$))"
)
_WRITE = r"(?:write|create|generate|produce|draft|compose)"
_IN_OTHER_LANGUAGES = (  # German, French, Spanish, Italian, Portuguese, Chinese; without accents
    r"\b(?:ich weiss|weiss ich) (?:es |das )?(?:leider )?nicht\b",
    r"\bich kann (?:\w+ ){0,3}nicht (?:wissen|sagen|beantworten|vorhersagen|helfen|schreiben)\b",
    r"\bkann (?:das |es )?(?:niemand|keiner) (?:wissen|sagen|vorhersagen)\b",
    r"\b(?:niemand|keiner) kann (?:das |es )?(?:wissen|sagen|vorhersagen)\b",
    r"\bje ne (?:le |la )?(?:sais|connais) pas\b",
    r"\bje ne peux pas (?:le |vous |repondre|savoir|dire|aider)",
    r"\bpersonne ne (?:le )?(?:sait|peut)\b",
    r"\b(?:yo )?no (?:lo )?se(?: |$|[.,;!])(?!\w)",
    r"\bno puedo (?:saber|decir|responder|ayudar|predecir|escribir)",
    r"\bnadie (?:lo )?(?:sabe|puede)\b",
    r"\bnon (?:lo )?so\b",
    r"\bnao sei\b",
    r"我不知道|我无法",
)
_DECLINING = re.compile(
    "|".join(
        (
            *_IN_OTHER_LANGUAGES,
            r"\bi (?:do|did|would|really do|simply do|just do) not (?:know|recall)\b",
            rf"\bi (?:do|did|would|really do|simply do|just do) not (?:have|possess) (?:{_LACKED})",
            r"\bi (?:can|could|will|am|would|must|may) not (?:be )?"
            r"(?:able|answer|provide|determine|say|know|help|assist|give|tell|confirm|predict|access|share|find|verify"
            r"|disclose|speculate|comply|sure|certain|aware|familiar|going to|see|view|do (?:that|this)"
            rf"|{_WRITE})\b",
            r"\b(?:i|i am) (?:not (?:sure|certain|aware|familiar|able)|unable|unsure|sorry)\b",
            r"(?:^|[.!?;\n]|\bsorry,|\bwe) *(?:can|could) not access\b",
            r"\bi (?:have|had) no (?:way|information|access|knowledge|data|idea|record)\b",
            r"\bi (?:would )?(?:must |have to )?(?:decline|refuse)\b",
            r"\b(?:can|could) not (?:possibly )?(?:be )?(?:reliably )?"
            rf"(?:known|said|told|determined|predicted|confirmed|verified|answered|{_KNOW})\b",
            r"\b(?:impossible|not possible|no way|unable|not able) "
            rf"(?:for (?:me|anyone) )?(?:to|of) (?:reliably )?(?:{_KNOW}|knowing|telling)\b",
            r"\b(?:no one|nobody) (?:knows|can know|can say|can tell|can predict)\b",
            r"\b(?:is|are|was|were|remains?) (?:currently |still )?"
            r"(?:unknown|undetermined|not (?:publicly |yet )?"
            r"(?:known|specified|disclosed|stated|published|mentioned|given|documented))\b",
            r"\b(?:does|do|did) not (?:specify|mention|state|say|disclose|publish|document)\b",
            r"\b(?:not enough|insufficient|no) (?:information|data|details)\b",
            r"\bas an? (?:ai|language model|artificial intelligence)\b.*\bnot\b",
        )
    )
)


_TURNS = words("but however though although nevertheless nonetheless")
_OPENING_TURNS = words("still yet anyway")  # only where they open a clause: "it is still unknown"


def declines(answer: str, wording: str = "") -> bool:
    """Whether the answer says that it does not know or will not answer.

    "Refunds are not available" is a claim and does not decline. Neither does an answer that gives a number
    after all: "..., but it will cost 45". `wording` is what was asked.
    """
    text = normalise(answer)
    found = _DECLINING.search(text)
    return found is not None and not answers_after_all(sentences(text[found.end() :]), wording)


def answers_after_all(said: Iterable[Sentence], wording: str) -> bool:
    """Whether the sentences, after a turn such as "but", assert a number that is not in the wording."""
    asked = {token.value for token in content(wording)}
    asked |= {quantity.value for sentence in sentences(wording) for quantity in quantities(sentence)}
    return any(
        quantity.start > turn
        and quantity.standing is Standing.ASSERTED
        and not quantity.vague
        and quantity.value not in asked
        for sentence in said
        if (turn := _turn(sentence.tokens)) is not None
        for quantity in quantities(sentence)
    )


def _turn(tokens: Sequence[Token]) -> int | None:
    """The index of the word at which a sentence turns around, as "but" does; None without one."""
    for index, token in enumerate(tokens):
        opens = index == 0 or tokens[index - 1].kind is TokenKind.BREAK
        if token.text in _TURNS or (opens and token.text in _OPENING_TURNS):
            return index
    return None
