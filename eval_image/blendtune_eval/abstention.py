"""Whether an answer declines: says that it does not know, cannot know, or will not say."""

from __future__ import annotations

import re

from blendtune_eval.text import normalise

_KNOW = r"(?:know|say|tell|determine|predict|confirm|verify|answer|guess|be certain|be sure)"
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
            r"\bi (?:do|did|would|really do|simply do|just do) not (?:have|know|recall|possess)\b",
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


def declines(answer: str) -> bool:
    """Whether the answer declines, in words about knowing: "refunds are not available" is a claim."""
    return _DECLINING.search(normalise(answer)) is not None
