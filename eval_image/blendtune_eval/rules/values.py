"""Whether an answer states the wanted time of day or date, and no other one for the same thing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from blendtune_eval.rubric import Fact, Question
from blendtune_eval.rules.claims import Answer, read_answer
from blendtune_eval.rules.clock import clock_times
from blendtune_eval.rules.dates import dates, year_in
from blendtune_eval.rules.decision import Decision, No, Unsure, Yes
from blendtune_eval.rules.doubt import Doubt
from blendtune_eval.rules.negation import Standing, standing
from blendtune_eval.rules.subjects import (
    Candidate,
    asked_words,
    by_span,
    decisive,
    former,
    opposed,
    preferred,
    surely_opposed,
)
from blendtune_eval.rules.text import Sentence, Token, content, outermost, word_at

_DOTTED_TIME = re.compile(r"(?<![\d.,$€£])([01]?\d|2[0-3])\.([0-5]\d)(?![\d%.,])")
_LONE_TIME = re.compile(r"\A(\W*(?:at )?)([01]\d|2[0-3])([0-5]\d)(?=\W*\Z)")
_JOINING = frozenset({"or", "and", "-", "to", ",", "maybe", "perhaps", "between"})


def check_time_or_date(fact: Fact, answer: Answer, question: Question) -> Decision | None:
    """The decision on a fact that is a time or a date; None for any other fact, or where none is stated."""
    aliases = [content(alias) for alias in fact.any_of]
    for read in (answer, _with_dotted_times(answer)):
        if candidates := _times(aliases, read):
            return settle(candidates, read, question, fact.any_of[0])
    candidates, open_ones = _dates(aliases, answer, question)
    if open_ones and not any(candidate.right for candidate in candidates):
        return Unsure(Doubt.NOTATION, f"says {open_ones[0]}, which may be {fact.any_of[0]}")
    if candidates:
        return settle(candidates, answer, question, fact.any_of[0])
    return None


def _with_dotted_times(answer: Answer) -> Answer:
    """The answer with "14.30" and a lone "1430" read as times."""
    text = _LONE_TIME.sub(r"\1\2:\3", _DOTTED_TIME.sub(r"\1:\2", answer.text))
    return answer if text == answer.text else read_answer(text, answer.wording)


def settle(candidates: Sequence[Candidate], answer: Answer, question: Question, wanted: str) -> Decision:
    """The decision among the values that an answer states."""
    sentences = answer.own
    expected = answer.asked | asked_words(content(question.reference))
    held = [c for c in outermost(candidates) if _standing(c, sentences) is not Standing.DENIED]
    if not any(candidate.right for candidate in held):
        labels = ", ".join(dict.fromkeys(candidate.label for candidate in held[:3]))
        return No(f"says {labels}, not {wanted}" if labels else f"denies {wanted}")
    chosen = decisive(held, sentences)
    right = [candidate for candidate in chosen if candidate.right]
    rivals = [candidate for candidate in chosen if not candidate.right]
    if not right:
        return No(f"takes {wanted} back for {rivals[0].label}")
    if not rivals:
        if all(opposed(candidate, answer.full, expected) for candidate in right):
            if all(surely_opposed(candidate, answer.full) for candidate in right):
                return No(f"says {wanted} of the opposite")
            return Unsure(Doubt.SUBJECT, f"says {wanted} of the opposite")
        if all(former(sentences[c.sentence].tokens[: c.start], answer.wording) for c in right):
            return Unsure(Doubt.SUBJECT, f"says {wanted} of what was so before")
        if all(_standing(candidate, sentences) in (Standing.UNCLEAR, Standing.QUOTED) for candidate in right):
            return Unsure(Doubt.NEGATION, f"says {wanted} under a reservation")
        return Yes(f"says {wanted}")
    spans = by_span(chosen, sentences, answer.asked) is not None
    if not spans and any(_joined(one, other, sentences) for one in right for other in rivals):
        return No(f"says both {wanted} and {rivals[0].label}", contradicted=True)
    told = preferred(chosen, answer.full, answer.asked)
    if told is None:
        return Unsure(Doubt.SEVERAL_VALUES, f"says both {wanted} and {rivals[0].label}")
    if not told:
        return No(f"says {rivals[0].label}, and {wanted} of something else", contradicted=True)
    return Yes(f"says {wanted}")


def _standing(candidate: Candidate, sentences: Sequence[Sentence]) -> Standing:
    return standing(sentences[candidate.sentence].tokens, candidate.start, candidate.end)


def _joined(one: Candidate, other: Candidate, sentences: Sequence[Sentence]) -> bool:
    """Whether "or" joins the two: a choice instead of an answer."""
    if one.sentence != other.sentence:
        return False
    left, right = sorted((one, other), key=lambda candidate: candidate.start)
    tokens = sentences[one.sentence].tokens
    between = {token.text for token in tokens[left.end : right.start]}
    opened = word_at(tokens, left.start - 1) == "between"
    return bool(between) and between <= _JOINING and ("or" in between or "-" in between or opened)


def _times(aliases: Sequence[Sequence[Token]], answer: Answer) -> list[Candidate]:
    wanted = [time for alias in aliases for time in clock_times(alias) if time.end - time.start == len(alias)]
    if not wanted:
        return []
    return [
        Candidate(
            number,
            time.start,
            time.end,
            time.matches(wanted),
            time.minute,
            f"{time.minute // 60}:{time.minute % 60:02}",
        )
        for number, sentence in enumerate(answer.own)
        for time in clock_times(sentence.tokens)
        if not _is_operand(sentence.tokens, time.start, time.end)
        and (time.matches(wanted) or not _asked(answer, time.minute))
    ]


def _asked(answer: Answer, minute: int) -> bool:
    """Whether the question names this time."""
    return any(time.minute == minute for time in clock_times(content(answer.wording)))


def _is_operand(tokens: Sequence[Token], start: int, end: int) -> bool:
    return word_at(tokens, end) in ("+", "−") or word_at(tokens, start - 1) in ("+", "−")


def _dates(
    aliases: Sequence[Sequence[Token]], answer: Answer, question: Question
) -> tuple[list[Candidate], list[str]]:
    """The dates that an answer states, and those that are the wanted one in only one of two orders."""
    wanted = next(
        (date for alias in aliases for date in dates(alias) if date.end - date.start == len(alias)), None
    )
    if wanted is None:
        return [], []
    year = wanted.year or year_in(content(question.reference))
    found: list[Candidate] = []
    open_ones: list[str] = []
    for number, sentence in enumerate(answer.own):
        for date in dates(sentence.tokens):
            right = date.matches(wanted, year)
            if date.swapped and right is not date.matches_swapped(wanted, year):
                open_ones.append(sentence.tokens[date.start].text)
                continue
            label = f"{date.day}/{date.month}" + (f"/{date.year}" if date.year else "")
            found.append(Candidate(number, date.start, date.end, right, date.month * 31.0 + date.day, label))
    return _days_of_one_month(found, wanted.day, answer), open_ones


def _days_of_one_month(found: list[Candidate], day: int, answer: Answer) -> list[Candidate]:
    """Adds the first day of "7 or 8 October", which stands without its month."""
    added: list[Candidate] = []
    for candidate in found:
        tokens = answer.own[candidate.sentence].tokens
        at = candidate.start - 2
        if word_at(tokens, at + 1) in ("or", "-", "to") and at >= 0 and tokens[at].value is not None:
            right = tokens[at].value == day
            added.append(replace(candidate, start=at, end=at + 1, right=right, label=tokens[at].text))
    return sorted([*found, *added], key=lambda candidate: candidate.place)
