"""Whether an answer declines: says that it does not know, cannot know, or will not say."""

from __future__ import annotations

import re

from blendtune_eval.text import normalise

_KNOW = r"(?:know|say|tell|determine|predict|confirm|verify|answer|guess|be certain|be sure)"
_WRITE = r"(?:write|create|generate|produce|draft|compose)"
_DECLINING = re.compile(
    "|".join(
        (
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
