"""Markdown as sentences: rows of tables, headings, lists, code and footnotes."""

from __future__ import annotations

import re
from itertools import pairwise

_FENCE = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_SAID_FENCE = re.compile(  # "It prints:" and the output
    r"(?<=:)\s*```(?:text|txt|plaintext|output|console)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL
)
_FOOTNOTE = re.compile(r"(?<=[\w.%)])[ ]?(?:\[\^?\d{1,2}\])+|\[\^\d{1,2}\]:?")
_LINK = re.compile(r"!?\[([^\]\n]+)\]\([^)\s]+\)")
_SEPARATOR = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*\|?[ \t]*$")
_HEADING = re.compile(r"(?m)^[ \t]{0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$")
_STEP = re.compile(
    r"(?mi)(?:^|(?<=[.;!]))[ \t>*_-]*(?:(?:step|part|option|question|phase|schritt|étape|paso)[ \t]+"
    r"(?:no\.?[ \t]*)?\d{1,2}\b"
    r"(?![ \t]*(?:days?|hours?|%|[+×*/=x]))|\(\d{1,2}\)(?=[ \t]))[ \t]*(?:[:.)–—-]+)?"
)
_ENUMERATOR = re.compile(r"(?m)^[ \t>]*(?:\*\*)?(\d{1,2})(?:[.](?=[ \t])|[)](?=[ \t]))(?:\*\*)?[ \t]+(?=\S)")
_SCORE_TAG = re.compile(r"(?i)\[(?:result|score|rating|grade)\]\s*:?\s*\d+(?:/\d+)?\.?")
_UNIT_IN_HEAD = re.compile(r"[(\[]([^)\]\d]{1,20})[)\]]")
_FEWEST_ITEMS = 2  # of a list, so that its numbers are taken for item numbers whatever the first is


def plain(text: str) -> str:
    """The text without markdown. A table row is one sentence for each cell, with row and column named.

    Of an answer in prose, programs are no part; text in a fence that a colon announces is.
    """
    text = _SAID_FENCE.sub(r"\n\1\n", text)
    if outside := _FENCE.sub("\n", text).strip():
        text = outside if re.search(r"\w", outside) else text
    text = _FENCE.sub(lambda match: match[1], text)
    text = _SCORE_TAG.sub(" ", text)
    text = _FOOTNOTE.sub("", _LINK.sub(r"\1", text))
    text = _without_tables(text)
    text = _HEADING.sub(r"\1\n", text)
    return _without_enumerators(_STEP.sub("", text))


def _without_enumerators(text: str) -> str:
    """The text without the item numbers of a list that counts up by one."""
    numbers = [int(match[1]) for match in _ENUMERATOR.finditer(text)]
    counted = all(following in (number + 1, 1) for number, following in pairwise(numbers))
    if not numbers or not counted or (numbers[0] != 1 and len(numbers) < _FEWEST_ITEMS):
        return text
    return _ENUMERATOR.sub("", text)


def _without_tables(text: str) -> str:
    lines = text.split("\n")
    result: list[str] = []
    index = 0
    while index < len(lines):
        if "|" in lines[index] and index + 1 < len(lines) and _SEPARATOR.match(lines[index + 1]):
            head = _cells(lines[index])
            index += 2
            while index < len(lines) and "|" in lines[index]:
                result += _row(head, _cells(lines[index]))
                index += 1
            continue
        result.append(lines[index])
        index += 1
    return "\n".join(result)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def _row(head: list[str], cells: list[str]) -> list[str]:
    """A sentence for each cell. A first cell without a digit names the row."""
    named = len(cells) > 1 and not any(character.isdigit() for character in cells[0])
    sentences = []
    for column, cell in enumerate(cells):
        if (named and column == 0) or not cell:
            continue
        title = head[column] if column < len(head) else ""
        unit = _UNIT_IN_HEAD.search(title)
        suffix = f" {unit[1]}" if unit and cell[-1].isdigit() and not re.match(r"[$€£¥]", cell) else ""
        name = f"{cells[0]} " if named else ""
        sentences.append(f"{name}{_UNIT_IN_HEAD.sub('', title).strip()}: {cell}{suffix}.")
    return sentences
