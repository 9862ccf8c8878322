"""The values of the rows in JSON files: one per line, a list, or objects one after another."""

from __future__ import annotations

import codecs
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from blendtune_api.v1alpha1 import BadRowReason, Columns
from blendtune_trainer.rows.faults import RowFault, SourceFaults
from blendtune_trainer.rows.layouts import Layouts
from blendtune_trainer.rows.messages import is_message_list
from blendtune_trainer.rows.notes import Notes
from blendtune_trainer.rows.opening import BOM, Opened, iconv_advice
from blendtune_trainer.rows.splits import Split, chosen_names, trains_on_others
from blendtune_trainer.rows.values import Value

_SPACE = re.compile(r"[ \t\n\r]*")
_BLOCK_BYTES = 1 << 20
_FEW = 3  # lines that are not UTF-8, at most, in a file that otherwise may be


def json_line_rows(
    opened: Opened, purpose: Split, columns: Columns | None, faults: SourceFaults, notes: Notes
) -> Iterator[Value]:
    """One row per line. A file that holds one JSON document all the same is read as such."""
    first = opened.head().removeprefix(BOM).lstrip()
    is_list = first.startswith(b"[") and not _is_lines_of_lists(first)
    if is_list or first.split(b"\n", 1)[0].strip() == b"{":
        yield from json_document_rows(opened, purpose, columns, faults, notes)
        return
    name, read = opened.file.name, 0  # bytes
    is_other_encoding, foreign = True, 0  # until a line proves it; lines that are not UTF-8
    for number, line in enumerate(opened.lines(), start=1):
        read += len(line)
        place = f"{name}:{number}"
        try:
            text = line.decode()
            is_other_encoding &= line.isascii()
            value = _DECODER.decode(text)
        except UnicodeDecodeError as error:
            foreign += 1
            faults.add_row(place, _not_utf8(name, f" at byte {error.start + 1} of the line"))
        except json.JSONDecodeError as error:
            if line.strip():
                message = f"not valid JSON: {error.msg}, at column {error.colno}"
                faults.add_row(place, RowFault(message, BadRowReason.INVALID_JSON))
        except RecursionError:
            faults.add_row(place, RowFault("not valid JSON: nested too deeply", BadRowReason.INVALID_JSON))
        except ValueError as error:
            faults.add_row(place, _fault(error))
        else:
            yield Value(place=place, value=value, fraction_read=opened.fraction(read))
    if foreign > _FEW and is_other_encoding:
        faults.add(name, f"none of its letters beyond ASCII is UTF-8; {iconv_advice(name)}")


def json_document_rows(
    opened: Opened, purpose: Split, columns: Columns | None, faults: SourceFaults, notes: Notes
) -> Iterator[Value]:
    """The rows of a list, of objects one after another, or of an object that holds a list of rows.

    The rows are decoded one by one, so that a list of any length takes the memory of its longest row.
    """
    if _is_lines_of_lists(opened.head().removeprefix(BOM).lstrip()):
        yield from json_line_rows(opened, purpose, columns, faults, notes)
        return
    name = opened.file.name
    text = _Text(opened)
    try:
        if text.next_character() == "[":
            yield from _elements(text, faults)
            return
        place, value = text.placed_value()
        if text.next_character():  # JSON lines, or objects written one below the other
            yield from _row(place, value, text, faults)
            while text.next_character():
                yield from _row(*text.placed_value(), text, faults)
        elif isinstance(value, RowFault):
            faults.add(place, str(value))
        elif isinstance(value, Mapping) and _is_row(value, columns):
            yield from _row(place, value, text, faults)
        else:
            yield from _unwrapped(value, text, place, faults, notes, purpose)
    except UnicodeDecodeError:
        fault = _not_utf8(name, "")
        faults.add(f"{name}:{text.line}", str(fault))
    except json.JSONDecodeError as error:
        line, column = text.position(error.pos)
        faults.add(f"{name}:{line}", f"not valid JSON: {error.msg}, at column {column}")
    except RecursionError:
        faults.add(f"{name}:{text.line}", "not valid JSON: nested too deeply")


class _Text:
    """The text of a JSON document, read block by block."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.name = opened.file.name
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._read = 0  # bytes
        self._ended = False
        self.line = 1  # of the next character

    @property
    def fraction(self) -> float:
        return self._opened.fraction(self._read - len(self._text) + self._at)

    def next_character(self) -> str:
        """The next character that is not white space, which stays unread; "" at the end."""
        while True:
            self._skip(_SPACE.match(self._text, self._at).end())  # type: ignore[union-attr]  # it matches all
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self) -> None:
        """Skips one character."""
        self._skip(self._at + 1)

    def placed_value(self) -> tuple[str, Any]:
        """The place and value that begin at the next character; of one that can only be skipped, its fault.

        Raises JSONDecodeError.
        """
        return f"{self.name}:{self.line}", self._value()

    def _value(self) -> Any:
        while True:
            try:
                value, end = self._decoded()
            except json.JSONDecodeError:
                if self._more():
                    continue
                raise
            if end == len(self._text) and self._more():
                continue  # a number may go on
            self._skip(end)
            return value

    def _decoded(self) -> tuple[Any, int]:
        try:
            return _DECODER.raw_decode(self._text, self._at)
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            return _fault(error), _SKIPPER.raw_decode(self._text, self._at)[1]

    def fault(self, message: str) -> json.JSONDecodeError:
        """A fault at the next character."""
        return json.JSONDecodeError(message, self._text, self._at)

    def position(self, index: int) -> tuple[int, int]:
        """Line and column of a character in the text that is kept."""
        line = self.line + self._text.count("\n", self._at, index)
        return line, index - self._text.rfind("\n", 0, index)

    def _skip(self, end: int) -> None:
        self.line += self._text.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        """Reads another block, at least as long as what is kept; false at the end."""
        if self._ended:
            return False
        kept = self._text[self._at :]
        block = self._opened.stream.read(max(_BLOCK_BYTES, len(kept)))
        self._ended = not block
        self._read += len(block)
        self._text, self._at = kept + self._decoder.decode(block, final=self._ended), 0
        return True


def _row(place: str, value: Any, text: _Text, faults: SourceFaults) -> Iterator[Value]:
    """A row, unless it has a fault."""
    if isinstance(value, RowFault):
        faults.add_row(place, value)
    else:
        yield Value(place=place, value=value, fraction_read=text.fraction)


def _elements(text: _Text, faults: SourceFaults) -> Iterator[Value]:
    """The elements of a list, each with the line on which it begins."""
    text.take()
    more = text.next_character() != "]"
    while more:
        if not text.next_character():
            raise text.fault("the list is not closed")
        yield from _row(*text.placed_value(), text, faults)
        after = text.next_character()
        if after not in (",", "]"):
            raise text.fault("Expecting ',' delimiter" if after else "the list is not closed")
        more = after == ","
        if more:
            text.take()
    text.take()
    if text.next_character():
        raise text.fault("Extra data")


def _unwrapped(
    value: Any, text: _Text, place: str, faults: SourceFaults, notes: Notes, purpose: Split
) -> Iterator[Value]:
    """The rows of a document that is one object: a row, or lists of rows by name."""
    name = text.name
    if not isinstance(value, Mapping):
        faults.add(place, "must be a JSON list of rows, or objects one after another")
        return
    lists = {key: rows for key, rows in value.items() if _are_rows(rows)}
    if not lists:
        if len(value) > 1 and all(isinstance(column, list | dict) for column in value.values()):
            faults.add(
                place,
                "is a table by columns; write it by rows: in pandas, to_json(orient='records', lines=True)",
            )
        else:
            yield Value(place=place, value=value, fraction_read=text.fraction)
        return
    kept = chosen_names([*lists], purpose)
    if len(kept) > 1:
        faults.add(
            place, f"holds lists of rows under {', '.join(kept)}: put those to read into files of their own"
        )
        return
    for key in lists.keys() - {*kept}:
        notes.left_out(f"{name} {key}", "another split")
    if trains_on_others(kept, purpose):
        notes.trained_on(f"{name} {kept[0]}")
    rows = lists[kept[0]]
    for index, row in enumerate(rows):
        yield Value(place=f"{name} {kept[0]}[{index}]", value=row, fraction_read=text.fraction)


def _is_lines_of_lists(head: bytes) -> bool:
    """Whether a text that begins with a list has one on each line, where it should have rows."""
    line, _, more = head.partition(b"\n")
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return bool(more.strip())


def _is_row(value: Mapping[str, object], columns: Columns | None) -> bool:
    """Whether an object is a row, and no table by columns and no lists of rows by name."""
    try:
        layouts = Layouts(columns).of(value)
    except RowFault:
        return False
    return any(
        all(isinstance(value[name], str | int) or is_message_list(value[name]) for name in layout.essential)
        for layout in layouts
    )


def _are_rows(value: object) -> bool:
    """Whether a value is a list of objects that are not messages."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, Mapping) for row in value)
        and not is_message_list(value)
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values. Raises RowFault if it has a key twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise RowFault(f"an object has the key {twice!r} twice: remove one", BadRowReason.INVALID_JSON)
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
_SKIPPER = json.JSONDecoder(parse_int=len)  # reads also what the other refuses for what it holds


def _fault(error: ValueError) -> RowFault:
    """The fault of a value that is JSON, and yet refused."""
    if isinstance(error, RowFault):
        return error
    digits = sys.get_int_max_str_digits()
    return RowFault(
        f"an integer of more than {digits:,} digits: shorten it, or write it as text, in quotes",
        BadRowReason.INVALID_JSON,
    )


def _not_utf8(name: str, where: str) -> RowFault:
    advice = iconv_advice(name)
    return RowFault(
        f"not valid UTF-8{where}. If all of the file is in another encoding, {advice}",
        BadRowReason.INVALID_TEXT,
    )
