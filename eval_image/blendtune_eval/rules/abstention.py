"""Whether an answer declines: says that it does not know, cannot know, or will not say."""

from __future__ import annotations

import re
from collections.abc import Sequence

from blendtune_eval.rules.negation import Standing
from blendtune_eval.rules.quantities import quantities
from blendtune_eval.rules.text import Sentence, Token, TokenKind, content, normalise, sentences, words

_KNOW = r"(?:know|say|tell|determine|predict|forecast|confirm|verify|answer|guess|be certain|be sure)"
_LACKED = (  # "I do not have ..." declines; "... any doubt" does not
    r"(?:(?!(?:doubts?|about|to|in|with|for)\b)[\w'-]+ ){0,4}"
    r"(?:information|data|details?|access|way|means|ideas?|clue|knowledge|records?|recollection|memory|memories"
    r"|ability|abilities|capability|capabilities|capacity|authority|permission|insights?|evidence|context|sources?"
    r"|experiences?|expertise|figures?|numbers?|statistics|answers?|opinions?|beliefs?|preferences?|feelings?"
    r"|emotions?|crystal ball)\b"
    r"|(?:that|this|it|those|these|any|one)(?= *(?:[.,;:!?]|$))"
)
_SOURCE = (
    r"(?:it|this|that|date|year|price|number|figure|amount|value|text|document|documents|handbook|manual"
    r"|(?:training )?data|knowledge(?: base)?|information|sources?|records?|context|passage|policy)"
)
_WRITE = r"(?:write|create|generate|produce|draft|compose)"
_IN_OTHER_LANGUAGES = (  # German, French, Spanish, Italian, Portuguese, Dutch, and languages of other scripts
    r"\b(?:ich weiss|weiss ich) (?:es |das )?(?:leider )?nicht\b",
    r"\bweiss (?:das |es )?(?:niemand|keiner)\b",
    r"\bik weet (?:het |dat )?niet\b",
    r"\bich kann (?:\w+ ){0,3}nicht (?:wissen|sagen|beantworten|vorhersagen|helfen|schreiben)\b",
    r"\bkann (?:das |es )?(?:niemand|keiner) (?:wissen|sagen|vorhersagen)\b",
    r"\b(?:niemand|keiner) kann (?:das |es )?(?:wissen|sagen|vorhersagen)\b",
    r"\bje ne (?:le |la )?(?:sais|connais) pas\b",
    r"\bje ne peux pas (?:le |vous |r[eé]pondre|savoir|dire|aider)",
    r"\bpersonne ne (?:le )?(?:sait|peut)\b",
    r"\b(?:yo )?no (?:lo )?s[eé](?: |$|[.,;!])(?!\w)",
    r"\bno puedo (?:saber|decir|responder|ayudar|predecir|escribir)",
    r"\bnadie (?:lo )?(?:sabe|puede)\b",
    r"\bnon (?:lo )?so\b",
    r"\bno tengo (?:esa |la |ninguna )?(?:informaci[oó]n|idea)\b|\bnon ho (?:idea|informazioni)\b",
    r"\bnão tenho (?:essa )?inform",
    r"\bkeine ahnung\b|\bich habe (?:\w+ )?keine (?:informationen|daten|angaben)\b",
    r"\bgeen idee\b|\baucune idée\b",
    r"\bn[aã]o sei\b",
    r"不知道|我无法|我無法|不清楚|无法(?:回答|预测|知道)|わかりません|分かりません|知りません|わからない",
    r"분명하지|모르|알 수 없",
    r"не знаю|неизвестно|नहीं पता|नहीं जानत|पता नहीं|لا أعرف|لا أدري|לא יודע|אינני יודע|ไม่ทราบ|ไม่รู้",
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
            r"\b(?:not|never) (?:be )?(?:allowed|permitted|authori[sz]ed|at liberty) to "
            r"(?:share|say|tell|give|disclose|reveal|answer|discuss)\b",
            r"\b(?:that|this|it|number|information|data) is (?:private|confidential|personal|not public)\b",
            r"\bi (?:have|had) no (?:way|information|access|knowledge|data|idea|record)\b",
            r"\bnot (?:something|anything) (?:that )?(?:i|we) "
            r"(?:know|have|can|could|am|are|hold|possess)\b",
            r"\bno (?:\w+ )?(?:information|data|details?|figures?|records?) (?:is|are|was|were) "
            r"(?:publicly |currently )?(?:available|known|given|provided|published)\b",
            r"\b(?:i|we) (?:would |will )?(?:need|require) more (?:information|details?|context|data)\b",
            r"\bi (?:would )?(?:must |have to )?(?:decline|refuse)\b",
            r"\b(?:can|could) not (?:possibly )?(?:be )?(?:reliably )?"
            rf"(?:known|said|told|determined|predicted|confirmed|verified|answered|{_KNOW})\b",
            r"\b(?:impossible|not possible|no way|unable|not able) "
            rf"(?:for (?:me|anyone) )?(?:to|of) (?:reliably )?(?:{_KNOW}|knowing|telling)\b",
            r"\b(?:no one|nobody) (?:knows|can know|can say|can tell|can predict)\b",
            r"\b(?:is|are|was|were|remains?) (?:currently |still )?"
            r"(?:unknown|undetermined|not (?:publicly |yet )?"
            r"(?:known|disclosed|published|documented))\b",
            rf"\b{_SOURCE} (?:is|are|was|were) not (?:publicly |currently |yet )?"
            r"(?:specified|stated|mentioned|given|available|provided|public|accessible|included)\b",
            rf"\b{_SOURCE} (?:does|do|did) not (?:specify|mention|state|say|disclose|publish|document|include"
            r"|contain|cover|have|tell|give|provide)\b",
            r"\b(?:does|do|did) not (?:specify|disclose|document)\b",
            r"\b(?:unknown|not known|not available|unavailable) to (?:me|anyone)\b",
            r"\b(?:outside|beyond) (?:of )?(?:my|our) (?:knowledge|training)\b",
            r"\bi (?:lack|am lacking) (?:the |any )?(?:information|data|access|knowledge)\b",
            r"\b(?:not enough|insufficient|no) (?:information|data|details)\b",
            r"\bas an? (?:ai|language model|artificial intelligence)\b.*\bnot\b",
            r"(?:^|[.!?;\n]|\bsorry,?) *(?:there is |absolutely |honestly,? )?"  # without their subject
            r"(?:(?:no|not a|not the faintest|not the slightest) (?:idea|clue)|not (?:sure|certain)|dunno"
            r"|(?:do|did) not (?:know|recall|remember)|(?:can|could) not (?:say|tell|help|answer|know)"
            r"|(?:hard|impossible|difficult) to (?:say|tell|know)|unable to (?:say|tell|help|answer)"
            r"|who knows|beats me)\b",
            r"\A\W*(?:unknown|unclear|no (?:information|answer|comment)"
            r"|not (?:known|specified|stated|disclosed))\W*\Z",
        )
    )
)


_ELSEWHERE = re.compile(  # an answer that does no more than send the reader to someone
    r"\A\W*(?:sorry\W+)?(?:please |kindly |you (?:should|must|need to|may want to|can) |(?:it is )?best to "
    r"|i (?:would )?(?:recommend|suggest|advise) (?:that you |you |to )?){0,2}"
    r"(?:consult|consulting|contact|contacting|ask|asking|(?:check|speak) with|(?:speak|talk|refer) to|see) "
    r"[^.!?\n]{0,60}?\b(?:lawyers?|attorneys?|solicitors?|counsel|advis[eo]rs?|doctors?|physicians?"
    r"|pharmacists?|professionals?|experts?|specialists?|support|services?|staff|office|desk|team"
    r"|manufacturers?|owners?|sellers?|authorit(?:y|ies)|manuals?|website|documentation)\b[^.!?\n]{0,40}[.!]?\W*\Z"
)
_ASKED_FOR_SOMEONE = words("who whom whose where how should consult contact ask call")
_TURNS = words("but however though although nevertheless nonetheless")
_ANSWERING = tuple(
    tuple(phrase.split())
    for phrase in (
        "it is", "it will", "it would", "it costs", "that is", "the answer", "my answer",
        "they are", "he is", "she is", "there are", "there will", "the price", "the number", "my guess",
        "i say", "i would say", "the fee", "the value", "the amount", "the total", "the figure",
        "the date", "the year",
    )
)  # fmt: skip
_PAST = words("was were had did ago last until since")
_BARE = 4  # tokens of a sentence that gives no more than a value
_GUESSING = (("perhaps",), ("maybe",), ("possibly",), ("probably",), ("my", "guess", "is"), ("i", "guess"))
_NO_GUESS = words(
    "i you we it he she they someone somebody one ask try check look search see call contact later tomorrow "
    "not so another other more can could will would should next again there"
)
_OPENING_TURNS = words("still yet anyway")  # only where they open a clause: "it is still unknown"


def declines(answer: str, wording: str = "") -> bool:
    """Whether the answer says that it does not know or will not answer.

    "Refunds are not available" is a claim and does not decline. Neither does an answer that gives a number
    after all: "..., but it will cost 45". `wording` is what was asked.
    """
    text = normalise(answer)
    found = _DECLINING.search(text)
    if found is None:
        return bool(_ELSEWHERE.match(text)) and _ASKED_FOR_SOMEONE.isdisjoint(
            token.text for token in content(wording)
        )
    rest = text[found.end() :]
    said = sentences(rest)
    ended = rest.lstrip()[:1] in (".", "!", "?", "\n", "")
    return not answers_after_all(said, wording, goes_on=not ended)


def answers_after_all(said: Sequence[Sentence], wording: str, *, goes_on: bool = True) -> bool:
    """Whether what is said next asserts a number that is not in the wording.

    A sentence that `goes_on` does so after a turn such as "but", a later one also where it opens
    with "it is" or gives nothing but the number. What was so in the past is no answer.
    """
    if any(_guesses(sentence) for sentence in said):
        return True
    asked = {token.value for token in content(wording)}
    asked |= {quantity.value for sentence in sentences(wording) for quantity in quantities(sentence)}
    return any(
        quantity.start > turn
        and quantity.standing is Standing.ASSERTED
        and not quantity.vague
        and quantity.value not in asked
        for number, sentence in enumerate(said)
        if (turn := _turn(sentence.tokens, first=goes_on and number == 0)) is not None
        for quantity in quantities(sentence)
    )


def _guesses(sentence: Sentence) -> bool:
    """ "Perhaps Saturn?": a guess that is no more than its value."""
    said = [token.text for token in sentence.tokens if token.kind is not TokenKind.BREAK]
    guess = next((said[len(mark) :] for mark in _GUESSING if tuple(said[: len(mark)]) == mark), [])
    return 0 < len(guess) <= _BARE and _NO_GUESS.isdisjoint(guess)


def _turn(tokens: Sequence[Token], *, first: bool) -> int | None:
    """The index of the word at which a sentence turns to an answer, as "but" does; None without one."""
    for index, token in enumerate(tokens):
        opens = index == 0 or tokens[index - 1].kind is TokenKind.BREAK
        if token.text in _TURNS or (opens and token.text in _OPENING_TURNS):
            return index
    texts = [token.text for token in tokens]
    if first or _PAST.intersection(texts):
        return None
    answers = any(tuple(texts[i : i + len(mark)]) == mark for i in (0, 1, 2) for mark in _ANSWERING)
    return -1 if answers or len(texts) <= _BARE else None
